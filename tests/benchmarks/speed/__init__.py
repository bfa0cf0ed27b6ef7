"""Compares the gateway with what one would write instead, and with the limit of its libraries, in the same run.

    rivals      what it is compared with
    callers     HTTP callers that take little of the processor
    processes   what a process has used
    figures     pure: what was measured, as table and JSON
    targets     pure: which targets were kept
    pictures    pure: growth curves as SVG
    arena       the simulator of a run, and the process that is measured against it
    rows        what is measured, one file for each kind
    __main__    the command line

The time of processors is what is compared: it depends little on what else the machine does. The processes of
PostgreSQL are not counted; with SQLite the database's work is part of the gateway's own.
"""
