"""Samples the service twice a second from outside: its backlog, its lag, its memory."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import gevent

from tests.chaos.world import World

_EVERY_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample of the backlog."""

    #: seconds since the beginning of the run
    at: float
    #: after-call works that are finished and not recorded yet
    backlog: int


class Watch:
    """Samples until :meth:`stop`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._begun = time.monotonic()
        self.samples: list[Sample] = []
        #: in seconds; the time for which a process was frozen counts
        self.worst_lag = 0.0
        #: resident megabytes of the largest worker
        self.most_memory = 0.0
        # Several greenlets: while one waits for a frozen gateway, the other must see the backlog grow.
        samplers: list[Callable[[], None]] = [self._count_backlog]
        samplers += [partial(self._read_gateway, number) for number in range(len(world.instances))]
        self._sampling = [gevent.spawn(sampler) for sampler in samplers]

    def stop(self) -> None:
        """Stop sampling."""
        gevent.killall(self._sampling)

    def seconds(self) -> float:
        """Seconds since the beginning of the run."""
        return time.monotonic() - self._begun

    def most_backlog(self) -> int:
        """The largest backlog of all samples."""
        return max((one.backlog for one in self.samples), default=0)

    def _count_backlog(self) -> None:
        while True:
            state = self._world.simulator.state()
            backlog = max(0, state["finishedAcw"] - state["records"])
            self.samples.append(Sample(at=self.seconds(), backlog=backlog))
            gevent.sleep(_EVERY_SECONDS)

    def _read_gateway(self, number: int) -> None:
        while True:
            self.worst_lag = max(self.worst_lag, self._world.metric("hub_lag_seconds", number) or 0.0)
            self.most_memory = max(self.most_memory, self._world.memory(number) or 0.0)
            gevent.sleep(_EVERY_SECONDS)
