"""Lets calls to Genesys through, at most so many in any minute, the most urgent first.

Law: whatever 60 seconds Genesys looks at, it sees no more calls than allowed. A call therefore counts from its
beginning until 60 seconds after its *end*: when between the two Genesys counted it, nobody here knows. Whoever is let
through has a connection to itself: one that waited for it behind our back would be sent in the middle of a pause.

One budget serves the process, also while an old and a new token are both in use. Genesys counts each token by itself,
so this is stricter than it must be for an hour a day, and needs no knowledge of which call used which token.
"""

import math
from bisect import insort
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count

from gevent.event import Event

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.logs import get_logger

#: Genesys docs: the limit is given in calls a minute.
WINDOW_SECONDS = 60.0

#: Calls that may be under way at a time, and so the connections to Genesys.
PLACES = 16

#: Part of the calls that reconciliation leaves to the others: with a full window even the most urgent call waits for
#: the oldest one to leave it.
RESERVE = 0.1

log = get_logger(__name__)


class Priority(IntEnum):
    """Who is served first when there is not room for all."""

    CHANNELS = 0
    SUBSCRIPTIONS = 1
    NAMES = 2
    RECONCILIATION = 3


@dataclass(frozen=True, slots=True, order=True)
class _Waiter:
    priority: Priority
    arrival: int
    #: set when this one has become the first of the queue, or is the first and a place has become free
    turn: Event = field(compare=False, default_factory=Event)


class RateLimiter:
    """The calls of one process to the Genesys API.

    Args:
        per_minute: Calls in any 60 seconds at most.
        clock: Its monotonic time counts.
        places: Calls under way at a time; whoever makes them has as many connections.
    """

    def __init__(self, per_minute: int, clock: Clock, places: int = PLACES) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._places = places
        self._limit = per_minute
        self._under_way = 0
        self._ended: list[float] = []  # monotonic seconds, ascending
        self._paused_until = -math.inf
        self._queue: list[_Waiter] = []
        self._arrivals = count()

    @contextmanager
    def take(self, priority: Priority) -> Iterator[None]:
        """Wait for room, then count whatever is done inside the ``with`` as one call.

        The wait has no limit of its own; killing the waiting greenlet, or a Timeout in it, leaves no trace.

        Args:
            priority: Lower ones wait as long as a higher one waits; equals are served in the order they came.
        """
        self._wait(priority)
        try:
            yield
        finally:
            self._under_way -= 1
            self._ended.append(self._clock.monotonic())
            self._wake_first()

    def pause(self, seconds: float) -> None:
        """Let nobody through for that long, as after a 429. A shorter pause never ends a longer one.

        Called inside the ``with`` of the answered call, or the next one would take its place before.
        """
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)
        log.warning("genesys_calls_paused", seconds=round(seconds, 3), waiting=len(self._queue))

    def observe(self, headers: Mapping[str, str]) -> None:
        """Learn from an answer what Genesys itself counted (``inin-ratelimit-count``, ``-allowed``, ``-reset``).

        Another user of the same token shows only here. Its calls are believed to leave the count after ``-reset``
        seconds. A count lower than ours is not believed: it may be that of another token, or of a new minute.
        """
        allowed = _whole(headers.get("inin-ratelimit-allowed"))
        if allowed:
            self._limit = min(self._per_minute, allowed)
        counted, reset = _whole(headers.get("inin-ratelimit-count")), _whole(headers.get("inin-ratelimit-reset"))
        if counted is None:
            return
        now = self._forget()
        unknown = min(counted, self._limit) - len(self._ended) - self._under_way
        age = WINDOW_SECONDS - min(reset or WINDOW_SECONDS, WINDOW_SECONDS)
        for _ in range(unknown):
            insort(self._ended, now - age)

    def _wait(self, priority: Priority) -> None:
        waiter = _Waiter(priority, next(self._arrivals))
        insort(self._queue, waiter)
        try:
            while (seconds := self._seconds_until_room(waiter)) > 0:
                self._clock.sleep(seconds)
            self._under_way += 1
        finally:
            self._queue.remove(waiter)
            self._wake_first()

    def _wake_first(self) -> None:
        if self._queue:
            self._queue[0].turn.set()

    def _seconds_until_room(self, waiter: _Waiter) -> float:
        """Wait until the waiter is the first and a place is free, then tell how long it must still wait.

        Only the first watches the time. Room never comes earlier than it was told, so it need not be woken; when a
        more urgent one comes before it while it sleeps, it finds itself second again.
        """
        while self._queue[0] is not waiter or self._under_way >= self._places:
            waiter.turn.clear()
            waiter.turn.wait()
        now = self._forget()
        over = len(self._ended) + self._under_way - self._room_for(waiter.priority)
        seconds = self._paused_until - now
        if over >= 0:
            # What is still under way ends now at the earliest, and counts for a whole window from then on.
            freed_at = self._ended[over] if over < len(self._ended) else now
            seconds = max(seconds, freed_at + WINDOW_SECONDS - now)
        return seconds

    def _room_for(self, priority: Priority) -> int:
        """Calls in a window that may be made before one of this priority; the least urgent never fill it."""
        if priority is Priority.RECONCILIATION:
            return max(1, round(self._limit * (1 - RESERVE)))
        return self._limit

    def _forget(self) -> float:
        """Drop what no longer counts, and return the time."""
        now = self._clock.monotonic()
        while self._ended and self._ended[0] + WINDOW_SECONDS <= now:
            del self._ended[0]
        return now


def _whole(text: str | None) -> int | None:
    """A header's number; None when it is missing or none of reasonable size."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None
