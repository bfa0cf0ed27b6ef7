"""What every part runs on.

Invariant: nothing here knows what it carries: no setting, no Genesys, no record.

The files, in reading order:

    shared               Runtime: clock, chance, metrics and crash report, handed to every part
    clock                wall time for what is stored, monotonic time for what is waited for
    errors               what can go wrong, by what the reader must do about it
    greenlets            greenlets with a name, a task group that watches them, and one stop
    backoff              the growing wait after failures
    http_client          every HTTP call that leaves this process
    single_flight        one piece of work at a time, shared by all who want it
    metrics              every metric, under the name that alarms use
    logs                 every log line is one JSON object
    kill_points          places where a test has the process killed (elsewhere called fail points)
"""
