"""Holds SIGTERM back while nothing handles it, so that a stop is neither lost nor cuts a start short.

A process 1, as in a container, never gets a signal for which it has no handler. And a worker that has just been forked
has the handler of the master, which would only note the signal there.
"""

import signal

_STOP = frozenset({signal.SIGTERM})


def hold() -> None:
    """Let SIGTERM wait, in this thread and in what is executed or forked from here."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)


def let_through() -> None:
    """Deliver SIGTERM from now on; one that has waited comes at once."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
