"""What a person asks or orders beside the running gateway, one module for each command.

Law: a command needs no setting but DATABASE_URL, shows nothing personal unless told to, and answers with one of three
codes: 0 done, 1 nothing found or not done, 2 asked wrongly or the database can't be used.
"""
