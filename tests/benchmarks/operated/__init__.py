"""Operated: ten dashboards are open and read at full load, and all that they could slow down is measured.

    figures      pure: quantiles of what was measured
    browser      one operator's browser: session, pages, live stream
    watchers     ten operators, a Prometheus, and a probe of the event loop
    play         plays the load: without dashboards, with them, without them again
    verdict      the figures as a table, and compared with what is promised
    __main__     the command line

Invariant: only processes, TCP and signals. Nothing in here imports the gateway.
"""
