"""Waiting for something to become true, in real time."""

import time
from collections.abc import Callable

import gevent

_EVERY_SECONDS = 0.02
#: A long wait looks less often, as a share of the time that has passed and in seconds: each look may be a request.
_SHARE, _MOST_SECONDS = 0.05, 0.1
#: A busy machine may take that many times as long as a quiet one for what has to happen.
_PATIENCE = 3


def wait_for(condition: Callable[[], object], seconds: float, every: float = _EVERY_SECONDS) -> float | None:
    """Return the seconds until the condition held; None if it did not within ``seconds``."""
    begun = time.monotonic()
    while not condition():
        passed = time.monotonic() - begun
        if passed > seconds:
            return None
        gevent.sleep(max(every, min(_SHARE * passed, _MOST_SECONDS)))
    return time.monotonic() - begun


def until(condition: Callable[[], object], seconds: float = 15.0, what: str = "the condition holds") -> float:
    """Wait for something that has to happen within that time on a quiet machine, and return the seconds it took.

    Raises:
        TimeoutError: It did not happen within three times ``seconds``.
    """
    took = wait_for(condition, _PATIENCE * seconds)
    if took is None:
        raise TimeoutError(f"not within {_PATIENCE * seconds:.0f} s: {what}")
    return took
