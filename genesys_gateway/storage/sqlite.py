"""Runs jobs on SQLite: one connection, and one transaction for a group of jobs.

Invariant: only the thread that owns the connection calls the methods of :class:`SqliteDatabase`, but ``checkpoint``
and ``take_space``.
When ``commit`` returns, either the whole group is on disk or none of it. A job that fails on its own account affects no
other job.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.storage import noted, sqlite_file
from genesys_gateway.storage.connections import engine_of
from genesys_gateway.storage.triggers import create_tables

Job = Callable[[Connection], object]

#: A commit writes about a page for each row that it changes, and that many more for the tables and indexes.
_PAGES_OF_A_COMMIT = 8

#: Error codes caused by the statement itself; every other code is a failure of the database.
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
    """The job raised; only its own work was rolled back."""

    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The database failed, and the whole group was rolled back."""

    error: Exception


Outcome = Done | Failed | Lost


class SqliteDatabase:
    """A database in a file, or in memory. One in memory lasts as long as its connection.

    Args:
        url: A file that exists, or a database in memory.
        clock: What :func:`~genesys_gateway.storage.portable.database_now` reads.
        busy_seconds: How long to wait for another process's lock.
    """

    def __init__(self, url: URL, clock: Clock, busy_seconds: float) -> None:
        self._path = sqlite_file.path_of(url)
        self._file = str(self._path)
        self._engine = engine_of(url, seconds=busy_seconds, clock=clock)
        self._connection: Connection | None = None
        self._inode = 0
        self._busy_seconds = busy_seconds
        #: about how many pages all commits have written to the log
        self.pages_logged = 0
        #: what the latest commit noted in timelines
        self.noted: list[noted.Noted] = []

    def commit(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run the jobs in one transaction, each in a savepoint, and return one outcome for each, in order.

        If the database fails, the connection is closed, and the next group opens a new one.
        """
        try:
            connection = self._connected()
            rows_before = _driver(connection).total_changes
            noted.begin(connection)
            # IMMEDIATE takes the write lock at once. A deferred transaction that meets another writer later would fail
            # without waiting. Through the engine this would take 50 µs more.
            _driver(connection).execute("BEGIN IMMEDIATE")
            with connection.begin():
                run = _run_alone if len(jobs) == 1 else _run_in_savepoint
                outcomes = [run(connection, job) for job in jobs]
                reach("before_commit")
            self.noted = noted.take(connection)
            if rows := _driver(connection).total_changes - rows_before:
                self.pages_logged += rows + _PAGES_OF_A_COMMIT
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            self.noted = []
            if self._path is not None:
                self.close()
            return [Lost(error=error)] * len(jobs)
        reach("after_commit")
        return outcomes

    def checkpoint(self) -> sqlite3.Error | None:
        """Copy what was committed from the log into the file, by a connection of its own; for any thread.

        Returns:
            Why it failed. Nothing is lost then: the log holds everything for the next one.
        """
        try:
            if self._path is not None:
                sqlite_file.checkpoint(self._path, self._busy_seconds)
        except sqlite3.Error as error:
            return error
        return None

    def take_space(self) -> OSError | None:
        """Take some space on the disk for a moment; for any thread.

        Returns:
            Why there is none.
        """
        try:
            if self._path is not None:
                sqlite_file.take_space(self._path)
        except OSError as error:
            return error
        return None

    def close(self) -> None:
        """Close the connection, which rolls back an open transaction. The next group opens a new one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()

    def _connected(self) -> Connection:
        if self._connection is not None and self._was_replaced():
            self.close()
        if self._connection is None:
            if self._path is not None:
                self._inode = os.stat(self._file).st_ino
            self._connection = self._engine.connect()
            if self._path is None:
                # A new database in memory can't have been migrated before.
                create_tables(self._connection)
                self._connection.commit()
        return self._connection

    def _was_replaced(self) -> bool:
        """Whether the path now leads to another file. Writes into the old one would never be read again."""
        return self._path is not None and os.stat(self._file).st_ino != self._inode


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def _run_alone(connection: Connection, job: Job) -> Outcome:
    """Run the only job of a transaction. For a savepoint SQLite would copy each page before its first change."""
    # The transaction that begins after a failure is for the commit that follows.
    outcome = _run(connection, job, undo=("ROLLBACK", "BEGIN IMMEDIATE"))
    if not _driver(connection).in_transaction:
        raise sqlite3.OperationalError("SQLite has ended the transaction, and the job suppressed the error")
    return outcome


def _run_in_savepoint(connection: Connection, job: Job) -> Outcome:
    driver = _driver(connection)
    driver.execute("SAVEPOINT job")
    outcome = _run(connection, job, undo=("ROLLBACK TO job",))
    # This fails if SQLite has ended the transaction and the job suppressed the error.
    driver.execute("RELEASE job")
    return outcome


def _run(connection: Connection, job: Job, *, undo: Sequence[str]) -> Outcome:
    already_noted = noted.count(connection)
    try:
        return Done(value=job(connection))
    except Exception as error:
        # An error of the job belongs to its caller, but a failure of the database concerns the whole group.
        if _is_of_the_database(error):
            raise
        noted.undo(connection, already_noted)
        for statement in undo:
            _driver(connection).execute(statement)
        return Failed(error=error)


def _is_of_the_database(error: Exception) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    # The lower byte is the primary code; the other bits make it an extended code.
    return code is not None and code & 0xFF not in _FAULTS_OF_A_JOB
