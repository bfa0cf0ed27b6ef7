"""Runs jobs on PostgreSQL: a pool of connections, and one transaction for each job.

Invariant: a connection that was interrupted during a statement is discarded, never returned to the pool. A job is
repeated only if it was certainly not committed.
"""

import select
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import gevent
import psycopg
import psycopg.waiting
from gevent import monkey
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.waiting import READY_R, READY_W, WAIT_R, WAIT_RW, WAIT_W
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from genesys_gateway.runtime.errors import StorageUnavailable, UnsafeDatabase
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.storage.connections import engine_of
from genesys_gateway.storage.portable import write_nothing
from genesys_gateway.storage.sqlite import Job

V = TypeVar("V")

#: Maximum number of connections, and so of jobs running at a time.
_POOL_SIZE = 8
#: Maximum number of times a job is run.
_ATTEMPTS = 3
#: Idle time in seconds after which TCP checks that a connection still works.
_KEEPALIVE_SECONDS = 30
#: serialization_failure and deadlock_detected: the server rolled back, and a repetition may succeed.
_REPEATABLE = frozenset({"40001", "40P01"})

#: Reads whether the server keeps commits, and sets the time limits of a connection.
_SESSION = """
SELECT current_setting('fsync'), current_setting('synchronous_commit'),
       set_config('statement_timeout', %(ms)s, false), set_config('idle_in_transaction_session_timeout', %(ms)s, false)
"""


#: The unpatched ``poll``: it returns at once and does not yield to the hub.
_native_poll = monkey.get_original("select", "poll")
_EVENTS = {WAIT_R: select.POLLIN, WAIT_W: select.POLLOUT, WAIT_RW: select.POLLIN | select.POLLOUT}


def _without_needless_waits(protocol: PQGen[V], fileno: int) -> PQGen[V]:
    """Wrap a generator of psycopg so that it waits for the socket only if the socket is not ready yet."""
    try:
        wanted = next(protocol)
        poll = _native_poll()
        while True:
            poll.register(fileno, _EVENTS[wanted])
            events = sum(event for _, event in poll.poll(0))
            ready = (READY_R if events & select.POLLIN else 0) | (READY_W if events & select.POLLOUT else 0)
            wanted = protocol.send(ready or (yield wanted))
    except StopIteration as end:
        return cast("V", end.value)


class _Connection(psycopg.Connection[Any]):
    """A connection that saves one turn of gevent's loop for each statement.

    The patched ``poll`` takes a turn even to find that a socket accepts bytes. While other greenlets are busy a turn
    takes milliseconds, and a job has many statements.
    """

    def wait(self, gen: PQGen[V], interval: float = 0.1, timeout: float | None = None) -> V:
        """Run a generator to its end; overrides psycopg's method."""
        return super().wait(_without_needless_waits(gen, self.pgconn.socket), interval, timeout)


class PostgresDatabase:
    """A database on a server, which several instances can share.

    Args:
        url: A URL with the driver ``postgresql+psycopg``.
        patience_seconds: How long a job may take, including its wait for a connection and its repetitions.
    """

    def __init__(self, url: URL, patience_seconds: float) -> None:
        if monkey.is_module_patched("select") and psycopg.waiting.wait is not psycopg.waiting.wait_poll:
            raise RuntimeError("psycopg was imported before gevent's patching: each statement would stop all greenlets")
        self._patience_seconds = patience_seconds
        self._engine = self._make_engine(url)

    def open(self) -> None:
        """Commit a write that changes nothing.

        Raises:
            UnsafeDatabase: ``fsync`` or ``synchronous_commit`` is off.
            StorageUnavailable: The server can't be reached, refuses the login, or accepts no writes.
        """
        self._within_patience(write_nothing)

    def run(self, job: Job) -> object:
        """Run the job in its own transaction; again if the server lost or rolled back the transaction.

        Raises:
            StorageUnavailable: The job is not committed, or its outcome is unknown.
        """
        try:
            return self._within_patience(job)
        except UnsafeDatabase as error:
            raise StorageUnavailable("storage is not safe now") from error

    def close(self) -> None:
        """Close the idle connections; the others close when their jobs end."""
        self._engine.dispose()

    def _within_patience(self, job: Job) -> object:
        patience = gevent.Timeout(self._patience_seconds)
        try:
            with patience:
                return self._with_repetitions(job)
        except gevent.Timeout as timeout:
            if timeout is not patience:
                raise
            raise StorageUnavailable("storage is too slow; the outcome is not known") from None
        except (OperationalError, InterfaceError, InternalError, PoolTimeout) as error:
            raise StorageUnavailable("storage can't be written now") from error

    def _with_repetitions(self, job: Job) -> object:
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._once(job)
            except DBAPIError as error:
                # The connection was lost before the COMMIT. The pool has dropped all connections of the same age, so
                # the next one is new.
                if not error.connection_invalidated and getattr(error.orig, "sqlstate", None) not in _REPEATABLE:
                    raise
        return self._once(job)

    def _once(self, job: Job) -> object:
        with self._engine.connect() as connection:
            try:
                value = job(connection)
                reach("before_commit")
                _commit(connection)
                reach("after_commit")
            except BaseException as error:
                # A greenlet that was stopped here has left an unfinished exchange with the server.
                if not isinstance(error, Exception):
                    connection.invalidate()
                raise
        return value

    def _make_engine(self, url: URL) -> Engine:
        milliseconds = str(round(self._patience_seconds * 1000))
        # The second option notices a firewall that has dropped an idle connection before a job uses it.
        options = {"tcp_user_timeout": milliseconds, "keepalives_idle": _KEEPALIVE_SECONDS}
        engine = engine_of(url, seconds=self._patience_seconds, pool_size=_POOL_SIZE, server=options)

        @event.listens_for(engine, "do_connect")
        def connect(
            _dialect: object, _record: object, arguments: Sequence[str], settings: dict[str, Any]
        ) -> psycopg.Connection[Any]:
            return _Connection.connect(*arguments, **settings)

        @event.listens_for(engine, "connect")
        def prepare(connection: object, _record: object) -> None:
            driver = cast("psycopg.Connection[tuple[str, ...]]", connection)
            row = driver.execute(_SESSION, {"ms": milliseconds}).fetchone()
            driver.commit()
            if row is None or "off" in row[:2]:
                driver.close()
                raise UnsafeDatabase("PostgreSQL runs with fsync=off or synchronous_commit=off; turn both on")

        return engine


def _commit(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    # The server would answer the COMMIT with a rollback, and report no error.
    if isinstance(driver, psycopg.Connection) and driver.info.transaction_status is TransactionStatus.INERROR:
        raise RuntimeError("a job went on after its own statement had failed: all of it is rolled back")
    try:
        connection.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StorageUnavailable("the reply to a commit was lost; the outcome is not known") from error
        raise
