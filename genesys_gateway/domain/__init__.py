"""What the whole service speaks of: an after-call work, an entry of the outbox, a communication record. Pure."""
