"""A person's command at the database, beside the gateway that runs on it.

Law: it makes and changes no tables, and leaves a file that is not ours as it was. Whatever it writes is in
transactions so short that the gateway never waits long for the lock of a SQLite file. Reading takes no lock that a
writer would wait for.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.storage import sqlite_file
from genesys_gateway.storage.migrate import require_current
from genesys_gateway.storage.portable import CLOCK, EXECUTION_OPTIONS

T = TypeVar("T")

#: How often the log is tried to be wiped while a gateway is at it too, and the pause between.
_WIPES, _WIPE_PAUSE_SECONDS = 20, 0.1


class OperatorSession:
    """One connection, used in a ``with`` statement.

    Args:
        database_url: Of an SQLite file or of PostgreSQL.
        clock: The time of a SQLite database.
        patience_seconds: How long to wait for the connection, and for the lock of each transaction.
    """

    def __init__(self, database_url: str, clock: Clock, patience_seconds: float = 15.0) -> None:
        url = make_url(database_url)
        self._clock = clock
        self._path = sqlite_file.path_of(url) if url.get_backend_name() == "sqlite" else None
        self._patience_seconds = patience_seconds
        self._engine = self._of_server(database_url) if self._path is None else self._of_file(self._path)
        self._connection: Connection | None = None
        self._begin = "BEGIN"

    def __enter__(self) -> "OperatorSession":
        """Connect.

        Raises:
            PermanentFailure: The tables are not those of this version.
            StorageUnavailable: There is no such database, or it can't be reached.
        """
        try:
            if self._path is not None:
                self._look_at(self._path)
            self._connection = self._engine.connect()
            self.read(require_current)
        except DBAPIError as error:
            raise self._unavailable(error) from error
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection; what was not committed is gone."""
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    def read(self, job: Callable[[Connection], T]) -> T:
        """Run a job that only reads. Raises StorageUnavailable."""
        return self._run(job, "BEGIN")

    def write(self, job: Callable[[Connection], T]) -> T:
        """Run a job in a transaction and return after its commit. Raises StorageUnavailable: ask what became of it."""
        # IMMEDIATE waits for its turn; a transaction that becomes a writer in its middle would fail instead.
        return self._run(job, "BEGIN IMMEDIATE")

    def wipe_log(self) -> bool:
        """Empty the write-ahead log of a SQLite file, where what was erased can still be read.

        Returns:
            Whether nothing is left in it. PostgreSQL clears up by itself (autovacuum), so there it is always true.
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

    def _look_at(self, path: Path) -> None:
        """Is it ours? Asked before it is opened as ours is, which sets its journal mode for good."""
        engine = create_engine(
            "sqlite+pysqlite://",
            creator=lambda: sqlite_file.look(path, self._patience_seconds),
            poolclass=NullPool,
            hide_parameters=True,
        )
        with engine.connect() as connection:
            require_current(connection)

    def _of_file(self, path: Path) -> Engine:
        engine = create_engine(
            "sqlite+pysqlite://",
            creator=lambda: sqlite_file.connect(path, self._patience_seconds),
            poolclass=NullPool,
            hide_parameters=True,
            execution_options=EXECUTION_OPTIONS,
        )

        @event.listens_for(engine, "connect")
        def carry_clock(_connection: object, record: ConnectionPoolEntry) -> None:
            record.info[CLOCK] = self._clock

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql(self._begin)

        return engine

    def _of_server(self, database_url: str) -> Engine:
        milliseconds = round(self._patience_seconds * 1000)
        return create_engine(
            database_url,
            poolclass=NullPool,
            hide_parameters=True,
            execution_options=EXECUTION_OPTIONS,
            connect_args={
                "application_name": "genesys-gateway command",
                "connect_timeout": max(2, round(self._patience_seconds)),
                "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}",
            },
        )


def _wipe(connection: sqlite3.Connection) -> bool:
    # The first does nearly all of the work and keeps nobody from writing; the second does, but has little left to do.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        time.sleep(_WIPE_PAUSE_SECONDS)
    return not busy
