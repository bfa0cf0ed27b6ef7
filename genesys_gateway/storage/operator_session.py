"""Database access for a person's command, while the gateway runs on the same database.

Invariant: it creates and changes no tables, and leaves a file that is not ours unchanged. Its write transactions are
short, so that the gateway never waits long for the lock of a SQLite file. Reading takes no lock that blocks a writer.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.storage import sqlite_file
from genesys_gateway.storage.connections import engine_of
from genesys_gateway.storage.migrate import require_current, require_tables

T = TypeVar("T")

#: Settings of PostgreSQL that limit the time of a command's statements.
_TIME_LIMITS = ("statement_timeout", "lock_timeout")
#: Maximum number of attempts to empty the log while a gateway uses it.
_WIPES = 20
#: Pause between two of these attempts, in seconds.
_WIPE_PAUSE_SECONDS = 0.1


class OperatorSession:
    """One connection, for use in a ``with`` statement.

    Args:
        database_url: URL of a SQLite file or of PostgreSQL.
        clock: The clock of a SQLite database; PostgreSQL has its own.
        patience_seconds: How long to wait for the connection, and for the lock of each transaction.
        any_version: Take the tables of any version; otherwise only those of this one.
    """

    def __init__(
        self, database_url: str, clock: Clock, patience_seconds: float = 15.0, *, any_version: bool = False
    ) -> None:
        self._url = url = make_url(database_url)
        self._path = sqlite_file.path_of(url) if url.get_backend_name() == "sqlite" else None
        self._patience_seconds = patience_seconds
        self._require: Callable[[Connection], object] = require_tables if any_version else require_current
        self._begin = "BEGIN"
        limits = " ".join(f"-c {name}={round(patience_seconds * 1000)}" for name in _TIME_LIMITS)
        self._engine = engine_of(
            url,
            seconds=patience_seconds,
            clock=clock,
            begin=lambda: self._begin,
            name="genesys-gateway command",
            server={"options": limits},
        )
        self._connection: Connection | None = None

    def __enter__(self) -> "OperatorSession":
        """Connect.

        Raises:
            PermanentFailure: The tables are not those of this version.
            StorageUnavailable: There is no such database, or it can't be reached.
        """
        try:
            if self._path is not None:
                self._check_it_is_ours(self._path)
            self._connection = self._engine.connect()
            self.read(self._require)
        except DBAPIError as error:
            raise self._unavailable(error) from error
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, which rolls back anything uncommitted."""
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database; None for one of PostgreSQL."""
        return self._path

    def read(self, job: Callable[[Connection], T]) -> T:
        """Run a job that only reads. Raises StorageUnavailable."""
        return self._run(job, "BEGIN")

    def write(self, job: Callable[[Connection], T]) -> T:
        """Run a job in a transaction and return after its commit.

        Raises:
            StorageUnavailable: It may or may not be committed; the caller must check.
        """
        # IMMEDIATE waits for the write lock. A transaction that becomes a writer later would fail instead of waiting.
        return self._run(job, "BEGIN IMMEDIATE")

    def wipe_log(self) -> bool:
        """Empty the write-ahead log of a SQLite file, because erased content can still be read there.

        Makes up to 20 attempts, because a transaction of the gateway can hinder one.

        Returns:
            Whether the log is empty. Always true on PostgreSQL, which cleans up by itself (autovacuum).
        """
        if self._path is None:
            return True
        try:
            with closing(sqlite_file.connect(self._path, self._patience_seconds)) as connection:
                return any(_wipe(connection) for _ in range(_WIPES))
        except sqlite3.Error:
            return False

    def _run(self, job: Callable[[Connection], T], begin: str) -> T:
        if self._connection is None:
            raise StorageUnavailable("the database is not open")
        self._begin = begin
        try:
            with self._connection.begin():
                return job(self._connection)
        except DBAPIError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: DBAPIError) -> StorageUnavailable:
        where = f"the database {self._path}" if self._path else "the database of DATABASE_URL"
        return StorageUnavailable(f"{where} can't be used: {error.orig}")

    def _check_it_is_ours(self, path: Path) -> None:
        """Check that the file is ours before it is opened for use, which sets its journal mode permanently."""
        seconds = self._patience_seconds
        engine = engine_of(self._url, seconds=seconds, connect=lambda: sqlite_file.look(path, seconds))
        with engine.connect() as connection:
            self._require(connection)


def _wipe(connection: sqlite3.Connection) -> bool:
    # PASSIVE does nearly all of the work and blocks no writer. TRUNCATE blocks them, but has little left to do.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        time.sleep(_WIPE_PAUSE_SECONDS)
    return not busy
