"""Tells whether calls to Genesys are scarce now, so that subscriptions are batched and questions are asked in bulk.

Invariant: what the batching saves does not end it. Calls are no longer scarce only when they would not be scarce with
a call for each requested topic either; otherwise the process would change its mind every minute.
"""

from collections import deque

from genesys_gateway.genesys.rate_limiter import WINDOW_SECONDS, Priority, RateLimiter
from genesys_gateway.runtime.clock import Clock

#: Share of the limit above which calls are scarce.
_SCARCE = 1 / 2


class Load:
    """How much of the limit the process uses. It has one.

    Args:
        limiter: Counts the calls.
        clock: Only its monotonic time is used.
    """

    def __init__(self, limiter: RateLimiter, clock: Clock) -> None:
        self._limiter = limiter
        self._clock = clock
        self._busy = False
        self._demand = _Demand()

    @property
    def busy(self) -> bool:
        """Whether calls are scarce: more than half of the limit is in use.

        Live questions do not count, because they only use what is idle. Once true, each topic requested in the last
        minute counts as a call of its own.
        """
        subscriptions = self._limiter.calls_of(Priority.SUBSCRIPTIONS)
        others = self._limiter.calls() - self._limiter.calls_of(Priority.LIVE_QUESTIONS) - subscriptions
        if self._busy:
            subscriptions = max(subscriptions, self._demand.topics(self._clock.monotonic()))
        self._busy = others + subscriptions > self._limiter.limit * _SCARCE
        return self._busy

    @property
    def plenty(self) -> bool:
        """Whether at least half of the limit is unused. Live questions count here, too."""
        return not self.busy and self.used() < _SCARCE

    def used(self) -> float:
        """Share of the limit that all calls of the last minute use, 0 to 1."""
        return min(1.0, self._limiter.calls() / self._limiter.limit)

    def requested(self, topics: int) -> None:
        """Note that so many topics were placed on a channel for the first time now; their subscription follows."""
        self._demand.add(topics, self._clock.monotonic())

    def calls_left(self) -> int:
        """Number of calls that the most urgent class may start now; 0 during a pause."""
        return self._limiter.calls_left()

    def limit(self) -> int:
        """Maximum number of calls in a minute that Genesys allows now."""
        return self._limiter.limit

    def waiting(self, priority: Priority) -> int:
        """Number of calls of one class that wait for a permit."""
        return self._limiter.waiting(priority)

    def exhausted_since(self) -> float | None:
        """Since when (monotonic seconds) no call has been left for one that waits; None if that is not so now."""
        return self._limiter.exhausted_since()


class _Demand:
    """Number of topics requested in the last minute, counted by second, so that it needs at most 61 pairs."""

    def __init__(self) -> None:
        self._by_second: deque[tuple[int, int]] = deque()  # second, topics; oldest first
        self._sum = 0

    def add(self, topics: int, now: float) -> None:
        self._forget(now)
        second = int(now)
        if self._by_second and self._by_second[-1][0] == second:
            topics_before = self._by_second.pop()[1]
            self._by_second.append((second, topics_before + topics))
        else:
            self._by_second.append((second, topics))
        self._sum += topics

    def topics(self, now: float) -> int:
        self._forget(now)
        return self._sum

    def _forget(self, now: float) -> None:
        while self._by_second and self._by_second[0][0] + 1 + WINDOW_SECONDS <= now:
            self._sum -= self._by_second.popleft()[1]
