"""Every SQL statement, one module for each use case.

Invariant: a statement runs in its caller's transaction and commits nothing. A transaction about one conversation takes
its lock, then its row, then its entries, and may wait; one about several waits for nothing (ADR 0025).

The files, in reading order:

    conversations        conversations: registered, shown, closed
    coverage             which conversations are covered, and which had a gap
    timeline             what happened to a conversation
    accounting           whether every accepted conversation is accounted for
    owners               of which instances it is certain that their sockets are open
    tally                numbers of rows, without counting them
    intake               events and supportResults become entries; other frames go into quarantine
    locks                the order of locks: who may wait, and who takes what is free
    counterparts         an event and a supportResult about the same after-call work are one entry
    outbox               entries that wait: which are due, and when the others are
    claims               claims of entries, and how their attempts ended
    dead_letters         entries that were given up: listed, requeued
    reconciliation       conversations that are due for a question to Genesys
    last_look            closed conversations that are asked about once more, each claimed by one instance
    due_dates            rows whose date has come, or was set by a wrong clock
    succession           which lost instances have no successor
    instances            running instances, their leases, how they end, their channels
    ownership            conversations that an instance adopts, takes over, offers, and still has
    places               places of channels in the budget of an OAuth client
    sent_assertions      SAML assertions that were sent, and what became of them
    erasure              erases personal content by age
    forgetting           deletes closed conversations by age
    customer             erases the personal content of one customer
    oversight            what is wrong as far as the database tells it, and what instances say of themselves
    inspection           everything known of one conversation or record, for people
    listing              conversations and records in pages, newest first, for people
"""
