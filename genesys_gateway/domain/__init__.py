"""The data that all folders share: after-call work, the entry of the outbox, and the communication record.

Invariant: pure; and the id of a record never changes.

The files, in reading order:

    after_call_work      one agent's after-call work on one conversation, and the id of its record
    pairing              which reports are about the same after-call work
    outbox               an entry of the outbox, and the decisions about it
    record               an after-call work becomes a communication record
    record_schema        the record's JSON, checked before it is sent
"""
