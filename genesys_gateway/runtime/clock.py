"""The time: wall time in epoch milliseconds for what is stored, monotonic seconds for what is waited for.

Law: a wall time is never subtracted from another to measure a wait in this process, because wall clocks jump.
"""

import time
from datetime import UTC, datetime
from typing import Protocol

import gevent

#: A wall clock that runs ahead of the monotonic one by more, at once, has jumped.
_JUMP_MS = 60_000


class Clock(Protocol):
    """What a room needs to know of time; tests hand in one that stands still."""

    def now(self) -> int:
        """Wall time in epoch milliseconds. It may jump in both directions."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Let other greenlets run for that long."""


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
    """A moment on the monotonic clock that several steps share.

    Args:
        clock: Whose monotonic time counts.
        seconds: From now.
    """

    __slots__ = ("_at", "_clock")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._at = clock.monotonic() + seconds

    def left(self) -> float:
        """Seconds that remain, 0 at the least."""
        return max(0.0, self._at - self._clock.monotonic())

    @property
    def passed(self) -> bool:
        """Whether nothing remains."""
        return self._clock.monotonic() >= self._at


class SteadyTime:
    """Wall time that follows a jump ahead only when it has lasted: for dates after which something can't be taken back.

    Args:
        clock: The clock that may jump.
        seconds: For how long a jump ahead is not believed.
    """

    __slots__ = ("_agreed_at", "_agreed_since", "_clock", "_seconds")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        # both clocks, when they last agreed
        self._agreed_at, self._agreed_since = clock.now(), clock.monotonic()

    def now(self) -> int:
        """Epoch milliseconds. To be asked often: a jump that nobody has noticed begins to last when it is noticed."""
        wall, since = self._clock.now(), self._clock.monotonic() - self._agreed_since
        expected = self._agreed_at + round(since * 1000)
        if wall > expected + _JUMP_MS and since < self._seconds:
            return expected
        self._agreed_at, self._agreed_since = wall, self._clock.monotonic()
        return wall


#: The end of the year 9999 in epoch milliseconds: nobody can write a later moment.
LAST_MOMENT = 253_402_300_799_999


def isoformat(at: int) -> str:
    """Epoch milliseconds as ``2026-11-22T10:00:00.000Z``."""
    seconds, millis = divmod(at, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def parse_iso(text: str) -> int:
    """Epoch milliseconds of an ISO 8601 date and time.

    Raises:
        ValueError: It is no such text, it has no offset from UTC, or it is not between 1970 and 9999 there.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a date and time needs its offset from UTC")
    at = round(moment.timestamp() * 1000)
    if not 0 <= at <= LAST_MOMENT:
        raise ValueError("not a moment that isoformat could write")
    return at


#: The longest period between two routine questions.
HOUR_SECONDS = 3600.0

DAY_SECONDS = 86_400.0

#: A date that lies so much further ahead than it may (milliseconds) was set by a wrong clock; the clocks of two
#: instances differ by less.
SKEW_MS = 60_000
