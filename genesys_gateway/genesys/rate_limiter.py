"""Permits at most N calls to Genesys in any minute, the most urgent first; questions leave a reserve for the others.

Invariant: in no period of 60 seconds does Genesys see more calls than allowed. A call therefore counts from its start
until 60 seconds after its *end*, because Genesys may have counted it at any moment between the two.

Order alone is not enough: when the limit is used up, the most urgent call, too, waits until the oldest call no longer
counts (14 s were measured). So questions may never use it up. They leave as many calls as the other classes made in
the last minute and a quarter more, and never less than a fifth of the limit.

A permitted call always has a free connection. If it had to wait for one, it could go out during a pause that began
meanwhile.

The process has one limiter. Genesys counts the calls of each token separately, so for the hour a day in which an old
and a new token are both in use this is stricter than necessary. In return, calls need not be counted for each token.
"""

import math
from bisect import insort
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count
from typing import NamedTuple

from gevent.event import Event

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog

#: Period of the limit, in seconds. Genesys docs: the limit is given in calls a minute.
WINDOW_SECONDS = 60.0
#: Maximum number of calls under way at the same time, and so the number of connections to Genesys.
CONNECTIONS = 16
#: Seconds after a pause in which the calls that were refused for it are made again.
_AGAIN_SECONDS = 5.0
#: Share of the limit that questions leave to the other classes at least.
_LEAST_RESERVE = 1 / 5
#: Share by which the other classes may make more calls than in the last minute without waiting.
_GROWTH = 1 / 4
#: Share of the connections that questions leave to the other classes: slow answers must not use them up either.
_CONNECTIONS_LEFT = 1 / 4

log = get_logger(__name__)


class Priority(IntEnum):
    """Classes of calls, in the order in which waiting calls are permitted; the lowest number is the most urgent."""

    CHANNELS = 0
    SUBSCRIPTIONS = 1
    NAMES = 2
    #: one call about many conversations
    BULK_QUESTIONS = 3
    #: one call about one conversation
    LIVE_QUESTIONS = 4

    @property
    def is_question(self) -> bool:
        """Whether such a call leaves a reserve for the other classes."""
        return self >= Priority.BULK_QUESTIONS


class _Ended(NamedTuple):
    """A call that has ended and still counts."""

    #: monotonic seconds
    at: float
    #: None: a call by another user of the same token, known from a header only
    priority: Priority | None


@dataclass(frozen=True, slots=True, order=True)
class _Waiter:
    priority: Priority
    arrival: int
    #: set when this waiter has become the first of the queue, or is the first and a connection has become free
    turn: Event = field(compare=False, default_factory=Event)


class RateLimiter:
    """Limits the calls of one process to the Genesys API.

    Args:
        per_minute: Maximum number of calls in any 60 seconds.
        clock: Its monotonic time decides.
        connections: Maximum number of calls under way at the same time. The HTTP client that makes the calls must have
            as many connections.
    """

    def __init__(self, per_minute: int, clock: Clock, connections: int = CONNECTIONS) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._logger = SampledLog(log, self._clock)
        self._connections = connections
        self._limit = per_minute
        self._under_way = 0
        self._ended: list[_Ended] = []  # in the order of their ends
        self._calls = dict.fromkeys(Priority, 0)  # by class: ended and still counted, or under way
        self._paused_until = -math.inf
        #: since when no call was left while one waits, and since when Genesys has answered nothing but 429
        self._spent_since: float | None = None
        self._refused_since: float | None = None
        self._queue: list[_Waiter] = []
        self._arrivals = count()

    @contextmanager
    def take(self, priority: Priority) -> Iterator[None]:
        """Wait until a call is permitted, then count the body of the ``with`` as one call.

        The wait has no time limit. If the waiting greenlet is killed or gets a Timeout, nothing is counted.

        Args:
            priority: A call waits while a more urgent one waits. Calls of equal priority go in the order of arrival.
        """
        self._wait(priority)
        try:
            yield
        finally:
            self._under_way -= 1
            self._ended.append(_Ended(self._clock.monotonic(), priority))
            self._wake_first()

    def pause(self, seconds: float) -> None:
        """Permit no calls for that many seconds, as after a 429. A shorter pause never ends a longer one.

        Call it inside the ``with`` of the call that was answered; after it, the next call may already have started.
        """
        now = self._clock.monotonic()
        self._paused_until = max(self._paused_until, now + seconds)
        if self._refused_since is None:
            self._refused_since = now
        self._logger.warning("genesys_calls_paused", seconds=round(seconds, 3), waiting=len(self._queue))

    def served(self) -> None:
        """Note that Genesys has answered a call other than by 429."""
        self._refused_since = None

    def observe(self, headers: Mapping[str, str]) -> None:
        """Adjust to what Genesys counted (``inin-ratelimit-count``, ``-allowed`` and ``-reset`` of an answer).

        Calls by another user of the same token are visible only here. They count here until ``-reset`` seconds have
        passed. A count lower than ours is ignored: it may belong to another token or to a new minute.
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
            insort(self._ended, _Ended(now - age, None), key=lambda one: one.at)

    @property
    def limit(self) -> int:
        """Maximum number of calls in a minute that Genesys allows now, and never more than was configured."""
        return self._limit

    def calls(self) -> int:
        """Number of calls that count now: all of the last minute, and those under way."""
        self._forget()
        return self._counted()

    def calls_of(self, priority: Priority) -> int:
        """Number of calls of one class that count now."""
        self._forget()
        return self._calls[priority]

    def calls_left(self) -> int:
        """Number of calls that the most urgent class may start now; 0 during a pause."""
        paused = self._forget() < self._paused_until
        return 0 if paused else max(0, self._limit - self._counted())

    def waiting(self, priority: Priority) -> int:
        """Number of calls of one class that wait for a permit."""
        return sum(one.priority is priority for one in self._queue)

    def exhausted_since(self) -> float | None:
        """Since when (monotonic seconds) no call has been left for one that waits; None if that is not so now.

        A call that was answered 429 waits, too, wherever its caller keeps it.
        """
        now = self._forget()
        if not self._queue or (now >= self._paused_until and self._counted() < self._limit):
            self._spent_since = None
        if now >= self._paused_until + _AGAIN_SECONDS:  # nothing was made again
            self._refused_since = None
        found = [one for one in (self._spent_since, self._refused_since) if one is not None]
        return min(found, default=None)

    def _wait(self, priority: Priority) -> None:
        waiter = _Waiter(priority, next(self._arrivals))
        insort(self._queue, waiter)
        try:
            while (seconds := self._seconds_until_permitted(waiter)) > 0:
                self._clock.sleep(seconds)
            self._under_way += 1
            self._calls[priority] += 1
        finally:
            self._queue.remove(waiter)
            if not self._queue or self._counted() < self._limit:
                self._spent_since = None
            self._wake_first()

    def _wake_first(self) -> None:
        if self._queue:
            self._queue[0].turn.set()

    def _seconds_until_permitted(self, waiter: _Waiter) -> float:
        """Block until the waiter is the first and a connection is free, then return how long it must still wait.

        Only the first waiter sleeps for a time. A call is never permitted earlier than returned here, so nothing has
        to wake it. If a more urgent waiter arrives meanwhile, the sleeper is second when this is called again.
        """
        while self._queue[0] is not waiter or self._under_way >= self._connections_for(waiter.priority):
            waiter.turn.clear()
            waiter.turn.wait()
        now = self._forget()
        seconds = self._paused_until - now
        if not self._permitted(waiter.priority):
            # It looks again when the oldest call no longer counts, because the reserve changes with that. A call still
            # under way ends now at the earliest, and then counts for a whole window.
            oldest = self._ended[0].at if self._ended else now
            seconds = max(seconds, oldest + WINDOW_SECONDS - now)
        if seconds > 0 and self._spent_since is None and not self.calls_left():
            self._spent_since = now
        return seconds

    def _connections_for(self, priority: Priority) -> int:
        left = int(self._connections * _CONNECTIONS_LEFT) if priority.is_question else 0
        return self._connections - left

    def _permitted(self, priority: Priority) -> bool:
        """Whether the limit and the reserve have a place for a call of this class now."""
        counted = self._counted()
        if not priority.is_question:
            return counted < self._limit
        questions = self._calls[Priority.BULK_QUESTIONS] + self._calls[Priority.LIVE_QUESTIONS]
        # One question a minute is permitted whatever the others use: without any, no conversation would ever close.
        return counted < (self._limit if not questions else self._limit - self._reserve())

    def _reserve(self) -> float:
        """Number of calls that questions must leave in addition to those that count already."""
        urgent = sum(self._calls[one] for one in Priority if not one.is_question)
        return max(self._limit * _LEAST_RESERVE - urgent, urgent * _GROWTH)

    def _counted(self) -> int:
        return len(self._ended) + self._under_way

    def _forget(self) -> float:
        """Drop the calls that no longer count, and return the current monotonic time."""
        now = self._clock.monotonic()
        while self._ended and self._ended[0].at + WINDOW_SECONDS <= now:
            priority = self._ended.pop(0).priority
            if priority is not None:
                self._calls[priority] -= 1
        return now


def _whole(text: str | None) -> int | None:
    """The number in a header; None if it is missing, not a number, or unreasonably large."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None
