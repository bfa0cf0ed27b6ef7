"""Lets the greenlets that want the same job for different items run it together, so that a statement handles them all.

Invariant: :meth:`JointJob.run` returns only after the commit of its item, and never waits longer than the patience.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from gevent.event import Event
from sqlalchemy import Connection

from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.storage.engine import Storage
from genesys_gateway.storage.sqlite import Done, Failed

log = get_logger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Maximum number of items in a transaction. More are hardly cheaper, and the first one waits for the last.
_MOST_ITEMS = 128


class _Waiter(Generic[Item]):
    """An item whose greenlet waits for its result."""

    __slots__ = ("done", "item", "outcome")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.outcome: Done | Failed | None = None
        self.done = Event()


class JointJob(Generic[Item, Result]):
    """One job for the items of many greenlets. While a transaction is under way, further items wait for the next one.

    Args:
        name: For the logs.
        job: Given the items, in order, returns one result for each. It is a job of :meth:`Storage.run`.
    """

    def __init__(
        self,
        storage: Storage,
        name: str,
        job: Callable[[Connection, Sequence[Item]], Sequence[Result]],
    ) -> None:
        self._storage = storage
        self._job = job
        #: oldest first
        self._waiting: OrderedDict[_Waiter[Item], None] = OrderedDict()
        self._running = False
        self._tasks = TaskGroup(name, self._crashed)

    def run(self, item: Item) -> Result:
        """Have the item's work committed, and return its result.

        Raises:
            StorageUnavailable: It is not committed, or that is unknown.
            Exception: Any exception of the job. What the other items need is done all the same.
        """
        waiter = _Waiter[Item](item)
        self._waiting[waiter] = None
        if not self._running:
            self._running = True
            self._tasks.spawn("worker", self._run_all)
        try:
            waiter.done.wait(self._storage.patience_seconds)
        finally:
            self._waiting.pop(waiter, None)  # no one waits for it any longer
        match waiter.outcome:
            case Done(value=value):
                return cast(Result, value)
            case Failed(error=error):
                raise error
            case None:
                raise StorageUnavailable("storage is too slow; the outcome is not known")

    def _run_all(self) -> None:
        try:
            while self._waiting:
                self._run_some(
                    [self._waiting.popitem(last=False)[0] for _ in range(min(len(self._waiting), _MOST_ITEMS))]
                )
        finally:
            self._running = False

    def _run_some(self, waiters: Sequence[_Waiter[Item]]) -> None:
        outcomes = self._outcomes([one.item for one in waiters])
        for waiter, outcome in zip(waiters, outcomes, strict=True):
            waiter.outcome = outcome
            waiter.done.set()

    def _outcomes(self, items: Sequence[Item]) -> Sequence[Done | Failed]:
        try:
            results = self._storage.run(lambda connection: self._job(connection, items), for_request=True)
        except StorageUnavailable as error:
            return [Failed(error=error)] * len(items)
        except Exception as error:  # noqa: BLE001 - raised again for each of those that wait
            if len(items) == 1:
                return [Failed(error=error)]
            # One of them is to blame. Which one shows if each is alone.
            return [outcome for item in items for outcome in self._outcomes([item])]
        self._storage.joined(len(items))
        return [Done(value=result) for result in results]

    def _crashed(self, name: str, error: BaseException) -> None:
        log.critical("joint_job_crashed", greenlet=name, exc_info=error)  # those that wait for it time out
