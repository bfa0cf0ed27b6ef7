"""Time: wall time in epoch milliseconds for what is stored, monotonic seconds for waits.

Invariant: a wait in this process is never measured as the difference of two wall times, because wall clocks jump.
"""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

import gevent

#: Milliseconds by which the wall clock may differ from the monotonic one; beyond that it has jumped.
_JUMP_MS = 60_000


class Clock(Protocol):
    """The time as every module reads it. Tests pass a clock that they move themselves."""

    def now(self) -> int:
        """Wall time in epoch milliseconds. It may jump forwards and backwards."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never decreases."""

    def sleep(self, seconds: float) -> None:
        """Let other greenlets run for that many seconds."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> int:
        """Wall time in epoch milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let other greenlets run for that many seconds."""
        gevent.sleep(seconds)


class Deadline:
    """A moment on the monotonic clock by which several steps together must be done.

    Args:
        clock: Only its monotonic time is used.
        seconds: Time from now until the deadline.
    """

    __slots__ = ("_at", "_clock")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._at = clock.monotonic() + seconds

    def left(self) -> float:
        """Remaining seconds, at least 0."""
        return max(0.0, self._at - self._clock.monotonic())

    @property
    def passed(self) -> bool:
        """Whether no time remains."""
        return self._clock.monotonic() >= self._at


class SteadyTime:
    """Wall time that ignores a jump ahead until it has lasted: for steps that follow a date and can't be undone.

    Args:
        clock: The clock that may jump.
        seconds: How long a jump ahead is ignored.
    """

    __slots__ = ("_agreed_at", "_agreed_since", "_clock", "_seconds")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        # Both clocks at the moment at which they last agreed.
        self._agreed_at, self._agreed_since = clock.now(), clock.monotonic()

    def now(self) -> int:
        """Epoch milliseconds. Call it often: a jump is timed from the last call before it, not from the jump itself."""
        wall, since = self._clock.now(), self._clock.monotonic() - self._agreed_since
        expected = self._agreed_at + round(since * 1000)
        if wall > expected + _JUMP_MS and since < self._seconds:
            return expected
        self._agreed_at, self._agreed_since = wall, self._clock.monotonic()
        return wall


class FallWatch:
    """Notices that a wall clock was set back, by comparing it with the monotonic clock."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[int, float] | None = None

    def fell(self, wall: int, monotonic: float) -> bool:
        """Whether the wall clock (epoch milliseconds) was set back by more than a minute since the last call."""
        last, self._last = self._last, (wall, monotonic)
        return last is not None and wall < last[0] + round((monotonic - last[1]) * 1000) - _JUMP_MS


#: The end of the year 9999 in epoch milliseconds, the last moment that :func:`isoformat` can write.
LAST_MOMENT = 253_402_300_799_999


def isoformat(at: int) -> str:
    """Epoch milliseconds as ``2026-11-22T10:00:00.000Z``."""
    seconds, millis = divmod(at, 1000)
    return f"{_to_the_second(seconds)}.{millis:03d}Z"


@lru_cache(maxsize=16)  # most of what is written under load happened in this second
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def parse_iso(text: str) -> int:
    """Epoch milliseconds of an ISO 8601 date and time.

    Raises:
        ValueError: The text is no date and time, has no offset from UTC, or is before 1970 or after 9999 in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a date and time needs its offset from UTC")
    at = round(moment.timestamp() * 1000)
    if not 0 <= at <= LAST_MOMENT:
        raise ValueError("not a moment that isoformat could write")
    return at


HOUR_SECONDS = 3600.0
DAY_SECONDS = 86_400.0
#: Tolerance in milliseconds for a stored date: the clocks of two instances differ by less.
SKEW_MS = 60_000


def furthest_date(now: int, *longest_seconds: float) -> int:
    """The latest date (epoch milliseconds) that a right clock can have set; a later one was set by a wrong clock.

    Every rule about a wrong date goes by this one (ADR 0019).

    Args:
        now: Epoch milliseconds.
        longest_seconds: How far ahead such a date is ever set; of several the longest counts, none means the present.
    """
    return now + round(max(longest_seconds, default=0.0) * 1000) + SKEW_MS
