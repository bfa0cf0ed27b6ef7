"""Alembic's environment and scripts for creating and changing the tables."""
