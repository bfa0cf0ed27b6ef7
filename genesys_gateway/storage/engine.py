"""Runs a job in a transaction on the configured database, SQLite or PostgreSQL.

Invariant: :meth:`Storage.run` returns only after the commit. A job uses nothing but its connection, calls no network,
lets no other greenlet run, returns plain values, and may be run more than once.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from gevent.event import Event
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.storage.commit_listener import CommitListener
from genesys_gateway.storage.fence import Fence
from genesys_gateway.storage.group_commit import GroupCommit
from genesys_gateway.storage.portable import write_nothing
from genesys_gateway.storage.sqlite import Job, SqliteDatabase

log = get_logger(__name__)

T = TypeVar("T")

#: Share of the patience that SQLite waits for the lock of another process, such as a backup.
_BUSY_SHARE = 0.1


class Database(Protocol):
    """A database as :class:`Storage` uses it. The methods of Storage with the same names explain each."""

    def open(self) -> None: ...
    def run(self, job: Job) -> object: ...
    def run_for_request(self, job: Job) -> object: ...
    def take_space(self) -> OSError | None: ...
    def close(self) -> None: ...


class Storage:
    """The database of this process.

    Args:
        database_url: ``sqlite:///path``, ``sqlite://`` (in memory) or ``postgresql+psycopg://...``.
        clock: The clock of a SQLite database; PostgreSQL has its own.
        patience_seconds: How long a job may take, including its wait in the queue.
        queue_limit: Maximum number of jobs waiting or running; further jobs fail at once.
        fence: While it is closed, no job is committed on PostgreSQL. A SQLite file has one process, which needs none.
        listener: Told of each commit.
    """

    def __init__(
        self,
        database_url: str,
        clock: Clock,
        *,
        patience_seconds: float = 5.0,
        queue_limit: int = 10_000,
        fence: Fence | None = None,
        listener: CommitListener | None = None,
    ) -> None:
        url = make_url(database_url)
        self._queue_limit = queue_limit
        #: how long a job may take
        self.patience_seconds = patience_seconds
        #: jobs waiting or running
        self._jobs = 0
        self._idle = Event()
        self._idle.set()
        self._open = False
        self._failing = False
        #: when the latest job failed, in monotonic seconds
        self._failed_at = 0.0
        self._clock = clock
        self._listener = listener or CommitListener()
        self._database: Database
        if url.get_backend_name() == "postgresql":
            from genesys_gateway.storage.postgresql import PostgresDatabase  # its driver need not be installed

            self._database = PostgresDatabase(url, patience_seconds, fence, self._listener)
        else:
            file = SqliteDatabase(url, clock, patience_seconds * _BUSY_SHARE)
            self._database = GroupCommit(file, patience_seconds, self._listener)

    def open(self) -> None:
        """Check that the database works by committing a write that changes nothing. A repetition checks again.

        The tables must exist (see ``migrate``), except in memory.

        Raises:
            StorageUnavailable: The database does not work now. :meth:`run` may still be called, and succeeds as soon
                as the database works again.
            UnsafeDatabase: PostgreSQL is configured so that it can lose commits.
        """
        self._open = True
        self._database.open()

    def close(self) -> None:
        """Commit the jobs that are waiting or running, then close the database. A repetition does nothing.

        It takes at most three times the patience, and that only if the disk hangs.
        """
        if self._open:
            self._open = False
            self._idle.wait(self.patience_seconds)
            self._database.close()

    def run(self, job: Callable[[Connection], T], *, for_request: bool = False) -> T:
        """Run the job in a transaction, commit, and return the job's result.

        A statement that the job expects to fail must run in a savepoint (``connection.begin_nested()``).

        Args:
            for_request: Whether a caller over HTTP waits for it. Such a job never waits for a connection that all other
                work of this process occupies.

        Raises:
            StorageUnavailable: The job is not committed, or its outcome is unknown.
            Exception: Any exception of the job itself. Only the work of this job was rolled back.
        """
        if not self._open:
            raise StorageUnavailable("storage is closed")
        if self._jobs >= self._queue_limit:
            raise StorageUnavailable("too much waits for storage")
        self._jobs += 1
        self._idle.clear()
        try:
            value = self._database.run_for_request(job) if for_request else self._database.run(job)
        except StorageUnavailable as error:
            self._note_failure(error)
            self._listener.failed(1)
            raise
        finally:
            self._jobs -= 1
            if not self._jobs:
                self._idle.set()
        self._note_success()
        return cast(T, value)

    def joined(self, items: int) -> None:
        """Note that a job stored so many pieces of work together. On SQLite the group of jobs is counted instead."""
        if not isinstance(self._database, GroupCommit):
            self._listener.grouped(items)

    def probe(self) -> None:
        """Commit a write that changes nothing, and make sure that the disk takes more. It may take as long as the disk.

        Raises:
            StorageUnavailable: Commits fail now, or soon will.
        """
        self.run(write_nothing, for_request=True)
        if error := self._database.take_space():
            raise StorageUnavailable("the disk takes no more") from error

    # A failure is logged once when it begins and once when it ends, so that a full disk does not fill the log.

    def _note_failure(self, error: StorageUnavailable) -> None:
        if not self._failing:
            cause = error.__cause__.orig if isinstance(error.__cause__, DBAPIError) else error.__cause__
            log.error("storage_failing", error=str(error), cause=None if cause is None else str(cause))
        self._failing = True
        self._failed_at = self._clock.monotonic()

    def _note_success(self) -> None:
        # One success proves little, because a job that only reads succeeds on a full disk as well. So the failure
        # counts as over only after a time without failures.
        if self._failing and self._clock.monotonic() - self._failed_at >= self.patience_seconds:
            self._failing = False
            log.info("storage_recovered")
