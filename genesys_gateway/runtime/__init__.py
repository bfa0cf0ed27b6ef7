"""The foundation of every other folder: time, greenlets, HTTP calls, metrics, logs and errors.

Invariant: nothing here imports another folder. Only the lists of errors, metrics and kill points name things of others.

The files, in reading order:

    shared               Runtime: the clock, random numbers, metrics and crash report that every part receives
    clock                wall time for what is stored, monotonic time for waits; deadlines
    database_clock       the database's time, by which several instances date what they store
    errors               the tree of errors, by what the reader must do about them
    greenlets            named greenlets in task groups: watched, and stopped together; pauses in long work
    backoff              the growing wait after repeated failures
    foreign_json         JSON that others wrote, read in pieces, with odd text made readable
    network              the settings that a connection needs
    http_client          every HTTP call that leaves this process
    single_flight        one piece of work at a time for each key, its result shared by all callers
    metrics              every metric, under the name that alarms use, and the page of a scrape
    logs                 every log line as one JSON object, or as text in a terminal
    log_format           makes the text of a line: JSON for programs, aligned words for people
    sampled_log          logs what repeats once a minute, with the number of repetitions
    tracing              tells tracing, if it is on, about requests, entries and attempts
    tracing_sdk          makes the spans with OpenTelemetry; imported only if tracing is on
    log_writer           writes the lines in a thread, so that nothing waits for their reader
    process              a process of this machine, and whether it is gone
    stop_signal          SIGTERM waits while nothing handles it
    identity             the id of this instance among others
    version              the version of this release
    kill_points          named places where a test kills the process (elsewhere called fail points)
"""
