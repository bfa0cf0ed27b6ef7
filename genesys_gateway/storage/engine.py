"""The door to the disk: one way to run a job in a transaction, whichever database keeps it.

Law: :meth:`Storage.run` returns only after the commit. A job uses nothing but its connection, calls no network, lets
no other greenlet run, returns plain values, and may be run more than once.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from gevent.event import Event
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.storage import sqlite_file
from genesys_gateway.storage.group_commit import GroupCommit
from genesys_gateway.storage.postgresql import PostgresDatabase
from genesys_gateway.storage.sqlite import Job, SqliteDatabase

log = get_logger(__name__)

T = TypeVar("T")

#: Part of the patience for which SQLite waits for the lock of another process, such as a backup.
_BUSY_SHARE = 0.1


class Database(Protocol):
    """What either database does for :class:`Storage`; the meaning of each is told there."""

    def open(self) -> None: ...
    def run(self, job: Job) -> object: ...
    def close(self) -> None: ...


class Storage:
    """The database of this process.

    Args:
        database_url: ``sqlite:///path``, ``sqlite://`` (in memory) or ``postgresql+psycopg://...``.
        clock: The time of a SQLite database; PostgreSQL has its own.
        patience_seconds: How long a job may take, its wait for its turn included.
        queue_limit: How many jobs may wait or run; further ones are turned away at once.
    """

    def __init__(
        self,
        database_url: str,
        clock: Clock,
        *,
        patience_seconds: float = 5.0,
        queue_limit: int = 10_000,
    ) -> None:
        url = make_url(database_url)
        self._queue_limit = queue_limit
        self._patience_seconds = patience_seconds
        self._inside = 0
        self._idle = Event()
        self._idle.set()
        self._open = False
        self._failing = False
        #: monotonic seconds of the latest failure
        self._failed = 0.0
        self._clock = clock
        self._database: Database
        if url.get_backend_name() == "postgresql":
            self._database = PostgresDatabase(url, patience_seconds)
        else:
            file = SqliteDatabase(sqlite_file.path_of(url), clock, patience_seconds * _BUSY_SHARE)
            self._database = GroupCommit(file, patience_seconds)

    def open(self) -> None:
        """Commit a write that changes nothing, so as to know that it works; a repetition tries again.

        The tables must be there (``migrate``), except in memory.

        Raises:
            StorageUnavailable: It does not work now. :meth:`run` may be called all the same and recovers by itself.
            UnsafeDatabase: PostgreSQL is set up to lose commits.
        """
        self._open = True
        self._database.open()

    def close(self) -> None:
        """Let what was handed in be committed, then let go of the database for good. A repetition does nothing.

        Takes at most three times the patience, and that only when the disk hangs.
        """
        if self._open:
            self._open = False
            self._idle.wait(self._patience_seconds)
            self._database.close()

    def run(self, job: Callable[[Connection], T]) -> T:
        """Run the job in a transaction and return what it returned, after the commit.

        A job that expects a statement to fail must have it fail in a savepoint (``connection.begin_nested()``).

        Raises:
            StorageUnavailable: It is not committed, or its outcome is unknown.
            Exception: Whatever the job raised; its own work was rolled back, nobody else's.
        """
        if not self._open:
            raise StorageUnavailable("storage is closed")
        if self._inside >= self._queue_limit:
            raise StorageUnavailable("too much waits for storage")
        self._inside += 1
        self._idle.clear()
        try:
            value = self._database.run(job)
        except StorageUnavailable as error:
            self._note_failure(error)
            raise
        finally:
            self._inside -= 1
            if not self._inside:
                self._idle.set()
        self._note_success()
        return cast(T, value)

    # Said once when it begins and once when it ends: a full disk needs no thousand lines.

    def _note_failure(self, error: StorageUnavailable) -> None:
        if not self._failing:
            cause = error.__cause__.orig if isinstance(error.__cause__, DBAPIError) else error.__cause__
            log.error("storage_failing", error=str(error), cause=None if cause is None else str(cause))
        self._failing = True
        self._failed = self._clock.monotonic()

    def _note_success(self) -> None:
        # A job that only reads succeeds on a disk that takes nothing more: it takes a while without failures.
        if self._failing and self._clock.monotonic() - self._failed >= self._patience_seconds:
            self._failing = False
            log.info("storage_recovered")
