"""One piece of work at a time for each key, however many ask for it: those who come meanwhile share its result.

Law: whoever does the work may be killed; then one of those who wait does it, and nobody waits in vain.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, cast

from gevent.event import AsyncResult

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Abandoned(Exception):
    """The one who did the work was killed before it was done."""


class SingleFlight(Generic[K, T]):
    """Work in progress by key; nothing is remembered of what is done."""

    def __init__(self) -> None:
        self._flights: dict[K, AsyncResult[T]] = {}

    def do(self, key: K, work: Callable[[], T]) -> T:
        """Do the work, or wait for the one who is at it. An error of the work is raised to all of them alike."""
        while (flight := self._flights.get(key)) is not None:
            try:
                return cast(T, flight.get())
            except _Abandoned:
                continue
        return self._lead(key, work)

    def busy(self, key: K) -> bool:
        """Whether somebody is at it now."""
        return key in self._flights

    def _lead(self, key: K, work: Callable[[], T]) -> T:
        flight: AsyncResult[T] = AsyncResult()
        self._flights[key] = flight
        try:
            result = work()
        except Exception as error:
            flight.set_exception(error)
            raise
        except BaseException:  # killed, or out of time: that is this greenlet's affair alone
            flight.set_exception(_Abandoned())
            raise
        else:
            flight.set(result)
            return result
        finally:
            del self._flights[key]
