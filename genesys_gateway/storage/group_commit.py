"""Commits the SQLite jobs of many greenlets in groups: all jobs that wait when the disk is free share one commit.

Invariant: :meth:`GroupCommit.run` returns only after the commit, and never waits longer than the patience. A job that
no greenlet waits for is dropped unless it has begun. Only the single thread of a thread pool touches the database,
never the thread of gevent's hub. Only checkpoints have a second thread: no commit waits for one.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence

import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool

from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.storage import noted
from genesys_gateway.storage.commit_listener import CommitListener
from genesys_gateway.storage.portable import write_nothing
from genesys_gateway.storage.sqlite import Done, Failed, Job, Lost, Outcome, SqliteDatabase

log = get_logger(__name__)

#: Maximum number of jobs in a group. Larger groups are no faster, and the first job waits for the last.
_GROUP_LIMIT = 128
#: A checkpoint is made when about that many pages were logged. SQLite itself makes it within a commit, which then took
#: up to 340 ms. Larger ones delay commits, too; smaller ones copy the same pages again and again.
_CHECKPOINT_PAGES = 500


class _Waiter:
    """A job whose greenlet waits for its outcome."""

    __slots__ = ("done", "job", "outcome")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.outcome: Outcome | None = None
        self.done = Event()


class GroupCommit:
    """The queue of jobs for one SQLite database.

    Args:
        database: Used only by the thread of this queue.
        patience_seconds: How long a job may take, including its wait in the queue.
        listener: Told of each commit.
    """

    def __init__(
        self, database: SqliteDatabase, patience_seconds: float, listener: CommitListener | None = None
    ) -> None:
        self._database = database
        self._listener = listener or CommitListener()
        self._patience_seconds = patience_seconds
        #: oldest first; while the disk hangs it holds only jobs whose greenlets still wait
        self._waiting: OrderedDict[_Waiter, None] = OrderedDict()
        self._arrived = Event()
        self._started = False
        self._closing = False
        self._logger = SampledLog(log, SystemClock())
        self._tasks = TaskGroup("storage", self._crashed)
        self._thread = ThreadPool(1)
        self._checkpoint_thread = ThreadPool(1)
        self._checkpointing = False
        #: pages that were logged when the last checkpoint began
        self._checkpointed = 0

    def open(self) -> None:
        """Start the committing greenlet unless it runs, and commit a write that changes nothing.

        Raises:
            StorageUnavailable: The database can't be written now. :meth:`run` may still be called.
        """
        if not self._started:
            self._started = True
            self._tasks.spawn("committer", self._commit_groups)
        self.run(write_nothing)

    def run(self, job: Job) -> object:
        """Wait until the job is on disk, and return its result.

        Raises:
            StorageUnavailable: The job is not on disk, or its outcome is unknown.
        """
        waiter = _Waiter(job)
        self._waiting[waiter] = None
        self._arrived.set()
        try:
            waiter.done.wait(self._patience_seconds)
        finally:
            self._waiting.pop(waiter, None)
        match waiter.outcome:
            case Done(value=value):
                return value
            case Failed(error=error):
                raise error
            case Lost(error=error):
                raise StorageUnavailable("storage can't be written now") from error
            case None:
                raise StorageUnavailable("storage is too slow; the outcome is not known")

    #: jobs share their commits, so that none needs precedence
    run_for_request = run

    def take_space(self) -> OSError | None:
        """Take some space on the disk for a moment, in a thread; returns why there is none. It waits for the disk."""
        error: OSError | None = gevent.get_hub().threadpool.apply(self._database.take_space)
        return error

    def close(self) -> None:
        """Commit the waiting jobs, then close. It takes at most twice the patience, even if the disk hangs."""
        self._closing = True
        self._arrived.set()
        late = self._tasks.stop(self._patience_seconds)
        if late:
            log.error("storage_stopped_late", late=late)
        gevent.with_timeout(self._patience_seconds, self._close_database, timeout_value=None)

    def _close_database(self) -> None:
        self._thread.apply(self._database.close)
        self._thread.kill()
        self._checkpoint_thread.kill()

    def _commit_groups(self) -> None:
        while self._waiting or not self._closing:
            group = self._next_group()
            if not group:
                self._arrived.clear()
                if not self._closing:
                    self._arrived.wait()
                continue
            begun = time.perf_counter()
            outcomes = self._thread.apply(self._database.commit, ([waiter.job for waiter in group],))
            self._listener.took(time.perf_counter() - begun)
            self._listener.grouped(len(group))
            for waiter, outcome in zip(group, outcomes, strict=True):
                waiter.outcome = outcome
                waiter.done.set()
            noted.write(self._database.noted)
            self._checkpoint_if_due()

    def _checkpoint_if_due(self) -> None:
        logged = self._database.pages_logged
        if logged - self._checkpointed >= _CHECKPOINT_PAGES and not self._checkpointing:
            self._checkpointed = logged
            self._checkpointing = True
            self._tasks.spawn("checkpoint", self._checkpoint)

    def _checkpoint(self) -> None:
        try:
            error = self._checkpoint_thread.apply(self._database.checkpoint)
        finally:
            self._checkpointing = False
        if error is not None:
            self._logger.warning("checkpoint_failed", error=str(error))

    def _next_group(self) -> Sequence[_Waiter]:
        group: list[_Waiter] = []
        while self._waiting and len(group) < _GROUP_LIMIT:
            waiter, _ = self._waiting.popitem(last=False)
            group.append(waiter)
        return group

    def _crashed(self, name: str, error: BaseException) -> None:
        # From now on every job times out: /readyz fails, and no request is answered with 2xx.
        log.critical("storage_crashed", greenlet=name, exc_info=error)
