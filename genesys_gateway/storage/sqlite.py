"""The SQLite side: one connection, and groups of jobs that share one commit.

Law: everything here but the constructor runs in the one thread that owns the connection. A group is on disk wholly
when :meth:`SqliteDatabase.commit` returns, or not at all; a job that fails by itself takes only itself along.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.storage import sqlite_file
from genesys_gateway.storage.portable import CLOCK, EXECUTION_OPTIONS
from genesys_gateway.storage.tables import metadata

Job = Callable[[Connection], object]

#: What a statement itself can be blamed for; every other code speaks of the database.
_FAULTS_OF_A_JOB = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The job's work is on disk."""

    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The job raised; its work, and only its, was rolled back."""

    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The database refused, and the whole group was rolled back."""

    error: Exception


Outcome = Done | Failed | Lost


class SqliteDatabase:
    """The database in one file, or in memory, where closing the connection would lose it.

    Args:
        path: The file; None for memory.
        clock: What :func:`~genesys_gateway.storage.portable.database_now` reads.
        busy_seconds: How long to wait for another process's lock.
    """

    def __init__(self, path: Path | None, clock: Clock, busy_seconds: float) -> None:
        self._path = path
        self._clock = clock
        self._busy_seconds = busy_seconds
        self._engine = self._make_engine()
        self._connection: Connection | None = None
        self._inode = 0

    def commit(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run the jobs in one transaction, each in its savepoint; one outcome for each, in order.

        After a failure of the database the connection is closed, and the next group opens a new one.
        """
        try:
            connection = self._connected()
            with connection.begin():
                outcomes = [_attempt(connection, job) for job in jobs]
                reach("before_commit")
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            if self._path is not None:
                self.close()
            return [Lost(error=error)] * len(jobs)
        reach("after_commit")
        return outcomes

    def close(self) -> None:
        """Close the connection, which rolls back what is open; the next group opens another."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()

    def _connected(self) -> Connection:
        if self._connection is not None and self._was_replaced():
            self.close()
        if self._connection is None:
            if self._path is not None:
                self._inode = os.stat(self._path).st_ino
            self._connection = self._engine.connect()
            if self._path is None:
                # Nobody can have migrated what did not exist until now.
                metadata.create_all(self._connection)
                self._connection.commit()
        return self._connection

    def _was_replaced(self) -> bool:
        """Whether the file was moved away: what is written into it then would never be read again."""
        return self._path is not None and os.stat(self._path).st_ino != self._inode

    def _make_engine(self) -> Engine:
        engine = create_engine(
            "sqlite+pysqlite://",
            creator=lambda: sqlite_file.connect(self._path, self._busy_seconds),
            poolclass=NullPool,
            hide_parameters=True,
            execution_options=EXECUTION_OPTIONS,
        )

        @event.listens_for(engine, "connect")
        def carry_clock(_connection: object, record: ConnectionPoolEntry) -> None:
            record.info[CLOCK] = self._clock

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            # IMMEDIATE takes the lock at once; a deferred transaction that meets another writer later fails unwaited.
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine


def _attempt(connection: Connection, job: Job) -> Outcome:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - for the type checker; _make_engine makes no other
    driver.execute("SAVEPOINT job")
    try:
        value = job(connection)
    except Exception as error:
        # Whatever a job raises is its caller's business, unless it says that the database fails everybody.
        if _is_of_the_database(error):
            raise
        driver.execute("ROLLBACK TO job")
        driver.execute("RELEASE job")
        return Failed(error=error)
    # This fails when SQLite has ended the transaction by itself and the job did not let its error through.
    driver.execute("RELEASE job")
    return Done(value=value)


def _is_of_the_database(error: Exception) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    # The lower byte is the code proper, the rest says more exactly where.
    return code is not None and code & 0xFF not in _FAULTS_OF_A_JOB
