"""Every SQL statement, one module for each use case.

Invariant: a statement runs in its caller's transaction and commits nothing. A transaction that locks both locks the
conversation first, then its entries.

The files, in reading order:

    conversations        conversations: registered, covered, closed
    timeline             what happened to a conversation
    tally                numbers of rows, without counting them
    intake               events and supportResults become entries; other frames go into quarantine
    counterparts         an event and a supportResult about the same after-call work are one entry
    outbox               claims of entries, and how their attempts ended
    dead_letters         entries that were given up: listed, requeued
    reconciliation       conversations that are due for a question to Genesys
    due_dates            rows whose date has come, or was set by a wrong clock
    instances            running instances, their leases, their channels
    sent_assertions      SAML assertions that were sent, and what became of them
    erasure              erases personal content by age
    forgetting           deletes closed conversations by age
    customer             erases the personal content of one customer
    inspection           everything known of one conversation or record, for people
"""
