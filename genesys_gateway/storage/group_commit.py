"""Greenlets hand in jobs for SQLite; whatever waits when the disk is free goes into one commit.

Law: a waiter is told of success only after the commit, and nobody waits longer than the patience. The hub never
touches the database: that is done by the one thread of a pool of one.
"""

from collections import deque
from collections.abc import Sequence

import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool

from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.storage.portable import write_nothing
from genesys_gateway.storage.sqlite import Done, Failed, Job, Lost, Outcome, SqliteDatabase

log = get_logger(__name__)

#: Larger groups gain nothing more, and make the first of the group wait for the last.
_GROUP_LIMIT = 128


class _Waiter:
    """A job and the greenlet that waits for it."""

    __slots__ = ("gone", "job", "outcome", "told")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.outcome: Outcome | None = None
        self.told = Event()
        #: Nobody waits any more: a job that has not begun need not begin.
        self.gone = False


class GroupCommit:
    """The queue before one SQLite database.

    Args:
        database: Used by the thread of this queue only.
        patience_seconds: How long a job may take, its place in the queue included.
    """

    def __init__(self, database: SqliteDatabase, patience_seconds: float) -> None:
        self._database = database
        self._patience_seconds = patience_seconds
        self._waiting: deque[_Waiter] = deque()
        self._arrived = Event()
        self._serving = False
        self._closing = False
        self._tasks = TaskGroup("storage", self._crashed)
        self._thread = ThreadPool(1)

    def open(self) -> None:
        """Start the committer, once, and have it commit.

        Raises:
            StorageUnavailable: The database can't be written now. Jobs may be handed in all the same.
        """
        if not self._serving:
            self._serving = True
            self._tasks.spawn("committer", self._serve)
        self.run(write_nothing)

    def run(self, job: Job) -> object:
        """Wait until the job is on disk, and give what it returned.

        Raises:
            StorageUnavailable: It is not on disk, or nobody knows yet.
        """
        waiter = _Waiter(job)
        self._waiting.append(waiter)
        self._arrived.set()
        try:
            waiter.told.wait(self._patience_seconds)
        finally:
            waiter.gone = True
        match waiter.outcome:
            case Done(value=value):
                return value
            case Failed(error=error):
                raise error
            case Lost(error=error):
                raise StorageUnavailable("storage can't be written now") from error
            case None:
                raise StorageUnavailable("storage is too slow; the outcome is not known")

    def close(self) -> None:
        """Commit what waits, then close for good; takes twice the patience at most, whatever the disk does."""
        self._closing = True
        self._arrived.set()
        late = self._tasks.stop(self._patience_seconds)
        if late:
            log.error("storage_stopped_late", late=late)
        gevent.with_timeout(self._patience_seconds, self._let_go, timeout_value=None)

    def _let_go(self) -> None:
        self._thread.apply(self._database.close)
        self._thread.kill()

    def _serve(self) -> None:
        while self._waiting or not self._closing:
            group = self._next_group()
            if not group:
                self._arrived.clear()
                if not self._closing:
                    self._arrived.wait()
                continue
            outcomes = self._thread.apply(self._database.commit, ([waiter.job for waiter in group],))
            for waiter, outcome in zip(group, outcomes, strict=True):
                waiter.outcome = outcome
                waiter.told.set()

    def _next_group(self) -> Sequence[_Waiter]:
        group: list[_Waiter] = []
        while self._waiting and len(group) < _GROUP_LIMIT:
            waiter = self._waiting.popleft()
            if not waiter.gone:
                group.append(waiter)
        return group

    def _crashed(self, name: str, error: BaseException) -> None:
        # From here on every job runs into its patience, so /readyz and every 2xx stay honest.
        log.critical("storage_crashed", greenlet=name, exc_info=error)
