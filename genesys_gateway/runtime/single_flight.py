"""Does one piece of work at a time for each key; callers that come meanwhile share its result.

Invariant: the work belongs to no caller. A caller that is killed or runs out of patience leaves alone; the work goes on
for the others, and to its end if there are none, so that what it has begun outside is finished.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, cast

import gevent
from gevent.event import AsyncResult

from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Flight(Generic[T]):
    """One piece of work under way, in a greenlet of its own."""

    __slots__ = ("result", "tasks")

    def __init__(self, name: str, work: Callable[["_Flight[T]"], None]) -> None:
        self.result: AsyncResult[T] = AsyncResult()
        # The callers are told of every error, so the group of this one greenlet has nobody else to tell.
        self.tasks = TaskGroup(name, lambda _name, error: self.result.set_exception(error))
        self.tasks.spawn("work", work, self)


class SingleFlight(Generic[K, T]):
    """Work in progress, by key. Results are not kept once the work is done.

    Args:
        name: Put before the name of each greenlet.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._flights: dict[K, _Flight[T]] = {}
        self._stopped = False

    def do(self, key: K, work: Callable[[], T]) -> T:
        """Do the work, or wait for the greenlet that is doing it. Any error of the work is raised to every caller.

        Raises:
            TransientFailure: :meth:`stop` was called before the work was done.
        """
        if self._stopped:
            raise _stopped()
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(self._name, lambda mine: self._work(key, mine, work))
        return cast(T, flight.result.get())

    def busy(self, key: K) -> bool:
        """Whether this work is in progress."""
        return key in self._flights

    def stop(self, seconds: float) -> list[str]:
        """Let the work in progress end within ``seconds``, then kill it. No new work starts.

        Returns:
            The names of the greenlets that were killed. Their callers get a TransientFailure.
        """
        self._stopped = True
        under_way = list(self._flights.values())
        gevent.wait([flight.result for flight in under_way], timeout=seconds)
        late = []
        for flight in under_way:
            late += flight.tasks.stop(0)
            if not flight.result.ready():
                flight.result.set_exception(_stopped())
        return late

    def _work(self, key: K, flight: _Flight[T], work: Callable[[], T]) -> None:
        try:
            flight.result.set(work())
        finally:
            del self._flights[key]


def _stopped() -> TransientFailure:
    return TransientFailure("this process stops")
