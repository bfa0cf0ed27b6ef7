"""Whatever comes in is on disk, in one transaction, before anything is done about it."""
