"""Every SQL statement, one module for each use case.

Invariant: a statement runs in the transaction of its caller and commits nothing. Whoever locks several rows locks the
conversation first, then its entries.

The files, in reading order:

    conversations        registered conversations: state, outcome, when each is due
    timeline             what happened to a conversation
    intake               events and supportResults become entries; unreadable frames go into quarantine
    counterparts         an event and a supportResult about the same after-call work are one entry
    outbox               claims of entries, and how their attempts ended
    dead_letters         entries that were given up: listed, requeued
    reconciliation       conversations that are due for a question
    instances            running instances, their leases, their channels
    used_assertions      SAML assertions that were used
    erasure              rows whose content is no longer needed
    customer             erases one customer's content on request
    inspection           everything known of one conversation, for people
"""
