"""Loaded by any Python whose PYTHONPATH names this folder: its wall clock is off by the seconds that a file holds.

Only the wall clock, and only as Python's `time` tells it: the gateway stores and compares no other. A library that is
preloaded into the process would fake all clocks, but takes part in each wait of a thread, too: on a busy machine the
thread that owns the database then waits for seconds.
"""

import os
import time
from pathlib import Path

_FILE = os.environ.get("WRONG_CLOCK_FILE")
_LOOK_SECONDS = 0.2


class WrongClock:
    """A wall clock that may be told to jump while it is read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._right = time.time_ns
        self._offset = 0
        self._look_at = -1.0

    def time_ns(self) -> int:
        """Epoch nanoseconds, as far off as the file says."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_SECONDS
            self._offset = int(self._file.read_text()) * 1_000_000_000
        return self._right() + self._offset

    def time(self) -> float:
        """Epoch seconds, as far off as the file says."""
        return self.time_ns() / 1_000_000_000


if _FILE:
    _clock = WrongClock(Path(_FILE))
    time.time, time.time_ns = _clock.time, _clock.time_ns
