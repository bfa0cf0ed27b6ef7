"""Entries leave the outbox: claimed, sent, and how it ended written down."""
