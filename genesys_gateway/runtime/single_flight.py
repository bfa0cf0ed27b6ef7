"""Does one piece of work at a time for each key; callers that come meanwhile share its result.

Invariant: every caller gets a result or an error. If the greenlet that does the work is killed, a waiting one does it.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, cast

from gevent.event import AsyncResult

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Abandoned(Exception):
    """The greenlet that did the work was killed before it was done."""


class SingleFlight(Generic[K, T]):
    """Work in progress, by key. Results are not kept once the work is done."""

    def __init__(self) -> None:
        self._flights: dict[K, AsyncResult[T]] = {}

    def do(self, key: K, work: Callable[[], T]) -> T:
        """Do the work, or wait for the greenlet that is doing it. An error of the work is raised to every caller."""
        while (flight := self._flights.get(key)) is not None:
            try:
                return cast(T, flight.get())
            except _Abandoned:
                continue
        return self._lead(key, work)

    def busy(self, key: K) -> bool:
        """Whether this work is in progress."""
        return key in self._flights

    def _lead(self, key: K, work: Callable[[], T]) -> T:
        flight: AsyncResult[T] = AsyncResult()
        self._flights[key] = flight
        try:
            result = work()
        except Exception as error:
            flight.set_exception(error)
            raise
        except BaseException:  # killed or timed out: this concerns only this greenlet, not those that wait
            flight.set_exception(_Abandoned())
            raise
        else:
            flight.set(result)
            return result
        finally:
            del self._flights[key]
