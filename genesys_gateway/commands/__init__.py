"""Commands that an operator runs beside the service, one module for each.

Invariant: a command needs no setting but DATABASE_URL (``check`` needs all, ``status`` the gateway's address and a
token), shows nothing personal without an option, and exits with one of three codes: 0 done, 1 nothing found, not done
or a trouble, 2 wrong usage, or a database or a gateway that can't be used.

The files, in reading order:

    cli                  the command line: names, options, exit codes; also starts migrate, demo and simulator
    run                  runs the service: the process becomes gunicorn
    check                checks everything the gateway needs before it goes live
    status               asks a running gateway what is wrong
    why                  explains the state of one conversation
    instances            lists the instances on the database
    dead_letters         records that were given up: list, show, requeue
    erase                erases the data of one customer
    backup               copies the database while it is in use
    output               prints lines, tables, JSON and errors
"""
