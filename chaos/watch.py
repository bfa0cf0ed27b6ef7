"""Looks at the service twice a second from outside: what waits, how late it is, how big."""

import time
from dataclasses import dataclass

import gevent

from chaos.world import World

_EVERY_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look."""

    #: seconds since the beginning
    at: float
    #: after-call works that are done and not recorded
    backlog: int
    #: None: it could not be asked
    lag: float | None
    #: resident megabytes of the worker
    memory: float | None


class Watch:
    """Looks until it is told to stop."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._begun = time.monotonic()
        self.samples: list[Sample] = []
        self._looking = gevent.spawn(self._look_on)

    def stop(self) -> None:
        """Look no more."""
        self._looking.kill()

    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._begun

    def worst_lag(self) -> float:
        """In seconds; a frozen process counts what it was frozen for."""
        return max((one.lag or 0.0 for one in self.samples), default=0.0)

    def most_memory(self) -> float:
        """In megabytes."""
        return max((one.memory or 0.0 for one in self.samples), default=0.0)

    def most_backlog(self) -> int:
        """The longest that the line ever was."""
        return max((one.backlog for one in self.samples), default=0)

    def _look_on(self) -> None:
        while True:
            gevent.sleep(_EVERY_SECONDS)
            state = self._world.centre.state()
            backlog = max(0, state["finishedAcw"] - state["records"])
            self._world.doubted()
            lag, memory = self._world.metric("hub_lag_seconds"), self._world.memory()
            self.samples.append(Sample(at=self.seconds(), backlog=backlog, lag=lag, memory=memory))
