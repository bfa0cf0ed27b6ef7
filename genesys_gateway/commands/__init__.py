"""What a person runs beside the service, one module for each command.

Invariant: a command needs no setting but DATABASE_URL (``check`` needs all), shows nothing personal unless told to, and
exits with one of three codes: 0 done, 1 nothing found or not done, 2 wrong usage or a database that can't be used.

The files, in reading order:

    cli                  the command line: names, options, exit codes
    check                checks everything the gateway needs before it goes live
    why                  what happened to one conversation, and why
    explanation          that, in sentences
    dead_letters         records that were given up: list, show, requeue
    erase                erases one customer's content
    screen               what the commands print
"""
