"""Does one piece of work at a time for each key; callers that come meanwhile share its result.

Invariant: the work belongs to no caller. A caller that is killed or runs out of patience leaves alone; the work goes on
for the others, and what it has begun outside is finished.
"""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, TypeVar, cast

import gevent
from gevent.event import AsyncResult

from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """Work in progress, by key. Results are not kept once the work is done.

    Args:
        name: Put before the name of each greenlet.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._flights: dict[K, tuple[AsyncResult[T], TaskGroup]] = {}
        self._stopped = False

    def do(self, key: K, work: Callable[[], T]) -> T:
        """Do the work, or wait for the greenlet that is doing it. Any error of the work is raised to every caller.

        Raises:
            TransientFailure: :meth:`stop` was called before the work was done.
        """
        if self._stopped:
            raise _stopped()
        under_way = self._flights.get(key)
        return cast(T, (self._begin(key, work) if under_way is None else under_way[0]).get())

    def busy(self, key: K) -> bool:
        """Whether this work is in progress."""
        return key in self._flights

    def stop(self, seconds: float) -> list[str]:
        """Let the work in progress end within ``seconds``, then end it; nothing is begun any more.

        Returns:
            The names of the greenlets that were killed. Their callers get a TransientFailure.
        """
        self._stopped = True
        under_way = list(self._flights.values())
        gevent.wait([result for result, _ in under_way], timeout=seconds)
        late = []
        for result, tasks in under_way:
            late += tasks.stop(0)
            if not result.ready():
                result.set_exception(_stopped())
        return late

    def _begin(self, key: K, work: Callable[[], T]) -> "AsyncResult[T]":
        result: AsyncResult[T] = AsyncResult()
        # The callers are told of every error, so the group of this one greenlet has nobody else to tell.
        tasks = TaskGroup(self._name, lambda _name, error: result.set_exception(error))
        self._flights[key] = result, tasks
        tasks.spawn("work", partial(self._work, key, result, work))
        return result

    def _work(self, key: K, result: "AsyncResult[T]", work: Callable[[], T]) -> None:
        try:
            result.set(work())
        finally:
            del self._flights[key]


def _stopped() -> TransientFailure:
    return TransientFailure("this process stops")
