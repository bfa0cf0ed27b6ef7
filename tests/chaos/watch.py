"""Looks at the service twice a second from outside: what waits, how late it is, how big."""

import time
from dataclasses import dataclass

import gevent

from tests.chaos.world import World

_EVERY_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look."""

    #: seconds since the beginning
    at: float
    #: after-call works that are done and not recorded
    backlog: int


class Watch:
    """Looks until it is told to stop."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._begun = time.monotonic()
        self.samples: list[Sample] = []
        #: in seconds; a frozen process counts what it was frozen for
        self.worst_lag = 0.0
        #: resident megabytes of the worker
        self.most_memory = 0.0
        # By itself: who waits for a frozen gateway must not miss how the line grows.
        self._looking = [gevent.spawn(look) for look in (self._count, self._ask)]

    def stop(self) -> None:
        """Look no more."""
        gevent.killall(self._looking)

    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._begun

    def most_backlog(self) -> int:
        """The longest that the line ever was."""
        return max((one.backlog for one in self.samples), default=0)

    def _count(self) -> None:
        while True:
            state = self._world.simulator.state()
            backlog = max(0, state["finishedAcw"] - state["records"])
            self.samples.append(Sample(at=self.seconds(), backlog=backlog))
            gevent.sleep(_EVERY_SECONDS)

    def _ask(self) -> None:
        while True:
            self._world.doubted()
            self.worst_lag = max(self.worst_lag, self._world.metric("hub_lag_seconds") or 0.0)
            self.most_memory = max(self.most_memory, self._world.memory() or 0.0)
            gevent.sleep(_EVERY_SECONDS)
