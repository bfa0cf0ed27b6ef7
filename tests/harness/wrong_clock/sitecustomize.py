"""Loaded by each Python with this folder in PYTHONPATH: its wall clock is wrong by the seconds written in a file.

Only the wall clock of Python's `time` is wrong: the gateway stores and compares no other. A preloaded library could
fake all clocks, but it also intercepts each wait of a thread: on a busy machine the thread that owns the database then
waits for seconds.
"""

import os
import time
from pathlib import Path

_FILE = os.environ.get("WRONG_CLOCK_FILE")
_LOOK_SECONDS = 0.2


class WrongClock:
    """A wall clock whose error can be changed while the process runs."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._right = time.time_ns
        self._offset = 0
        self._look_at = -1.0

    def time_ns(self) -> int:
        """Epoch nanoseconds, plus the seconds in the file."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_SECONDS
            self._offset = int(self._file.read_text()) * 1_000_000_000
        return self._right() + self._offset

    def time(self) -> float:
        """Epoch seconds, plus the seconds in the file."""
        return self.time_ns() / 1_000_000_000


if _FILE:
    _clock = WrongClock(Path(_FILE))
    time.time, time.time_ns = _clock.time, _clock.time_ns
