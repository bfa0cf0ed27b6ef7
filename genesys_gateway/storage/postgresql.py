"""Runs jobs on PostgreSQL: a pool of connections, and one transaction for each job.

Invariant: a connection that was interrupted during a statement is discarded, never returned to the pool. A job is
repeated only if it was certainly not committed.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext

import gevent
import psycopg
import psycopg.waiting
from gevent import monkey
from gevent.lock import BoundedSemaphore
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from genesys_gateway.runtime.errors import StorageUnavailable, UnsafeDatabase
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.storage import noted
from genesys_gateway.storage.commit_listener import CommitListener
from genesys_gateway.storage.fence import Fence
from genesys_gateway.storage.portable import write_nothing
from genesys_gateway.storage.postgres_engine import engine_of_servers
from genesys_gateway.storage.postgres_session import Session, SessionOpener
from genesys_gateway.storage.servers import number_of_hosts
from genesys_gateway.storage.sqlite import Job

#: Maximum number of connections, and so of jobs running at a time.
_POOL_SIZE = 8
#: Number of connections that only requests use: behind a backlog of other work they would wait longer than they may.
_FOR_REQUESTS = 2
#: Maximum number of times a job is run.
_ATTEMPTS = 3
#: Idle time in seconds after which TCP checks that a connection still works.
_KEEPALIVE_SECONDS = 30
#: serialization_failure and deadlock_detected: the server rolled back, and a repetition may succeed.
_REPEATABLE = frozenset({"40001", "40P01"})
#: read_only_sql_transaction
_READ_ONLY = "25006"
#: It, admin_shutdown, crash_shutdown, cannot_connect_now: the server is a primary no longer, or not for long. The pool
#: gives up all connections of the same age, so that the next job looks for the primary.
_LEFT = frozenset({_READ_ONLY, "57P01", "57P02", "57P03"})


class PostgresDatabase:
    """A database on a server, which several instances can share.

    Args:
        url: A URL with the driver ``postgresql+psycopg``.
        patience_seconds: How long a job may take, including its wait for a connection and its repetitions.
        fence: While it is closed, no job is committed.
        listener: Told of each commit.
    """

    def __init__(
        self,
        url: URL,
        patience_seconds: float,
        fence: Fence | None = None,
        listener: CommitListener | None = None,
    ) -> None:
        if monkey.is_module_patched("select") and psycopg.waiting.wait is not psycopg.waiting.wait_poll:
            raise RuntimeError("psycopg was imported before gevent's patching: each statement would stop all greenlets")
        self._patience_seconds = patience_seconds
        self._fence = fence
        self._listener = listener or CommitListener()
        idle_seconds = patience_seconds if fence is None else min(patience_seconds, fence.idle_seconds)
        self._opener = SessionOpener(patience_seconds, idle_seconds)
        self._engine = self._make_engine(url)
        #: the right to a connection, for work that no request waits for
        self._unhurried = BoundedSemaphore(_POOL_SIZE - _FOR_REQUESTS)
        self._has_other_servers = number_of_hosts(self._engine.dialect.create_connect_args(url)[1]) > 1

    def open(self) -> None:
        """Commit a write that changes nothing, whether the fence is open or not.

        Raises:
            UnsafeDatabase: ``fsync`` or ``synchronous_commit`` is off.
            StorageUnavailable: The server can't be reached, refuses the login, or accepts no writes.
        """
        self._within_patience(write_nothing, _check_of(None), for_request=True)

    def run(self, job: Job) -> object:
        """Run the job in its own transaction; again if the server lost or rolled back the transaction.

        Some connections are left to jobs for which a caller over HTTP waits.

        Raises:
            StorageUnavailable: The job is not committed, or its outcome is unknown.
        """
        return self._run(job, for_request=False)

    def run_for_request(self, job: Job) -> object:
        """Run a job like :meth:`run`, also in one of the connections that are kept for requests."""
        return self._run(job, for_request=True)

    def take_space(self) -> None:
        """Do nothing: the server reports a full disk at the commit."""

    def close(self) -> None:
        """Close the idle connections; the others close when their jobs end."""
        self._engine.dispose()

    def _run(self, job: Job, *, for_request: bool) -> object:
        try:
            return self._within_patience(job, _check_of(self._fence), for_request=for_request)
        except UnsafeDatabase as error:
            raise StorageUnavailable("storage is not safe now") from error

    def _within_patience(self, job: Job, require_open: Callable[[], None], *, for_request: bool) -> object:
        patience = gevent.Timeout(self._patience_seconds)
        try:
            with patience, nullcontext() if for_request else self._unhurried:
                return self._with_repetitions(job, require_open)
        except gevent.Timeout as timeout:
            if timeout is not patience:
                raise
            raise StorageUnavailable("storage is too slow; the outcome is not known") from None
        except (OperationalError, InterfaceError, InternalError, PoolTimeout) as error:
            raise StorageUnavailable("storage can't be written now") from error

    def _with_repetitions(self, job: Job, require_open: Callable[[], None]) -> object:
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._once(job, require_open)
            except DBAPIError as error:
                if not self._may_succeed(error):
                    raise
        return self._once(job, require_open)

    def _may_succeed(self, error: DBAPIError) -> bool:
        """Whether a repetition may succeed at once."""
        if _sqlstate(error.orig) in _REPEATABLE:
            return True
        # The connection was lost before the COMMIT. The pool has dropped all connections of the same age, so the next
        # one is new. Another one to the only server would find it read-only again.
        return error.connection_invalidated and (self._has_other_servers or _sqlstate(error.orig) != _READ_ONLY)

    def _once(self, job: Job, require_open: Callable[[], None]) -> object:
        require_open()
        with self._engine.connect() as connection:
            begun = time.perf_counter()
            noted.begin(connection)
            try:
                value = job(connection)
                reach("before_commit")
                # Once more: the process may have been stopped since. The server ends a transaction that idles for long.
                require_open()
                _commit(connection)
                self._listener.took(time.perf_counter() - begun)
                reach("after_commit")
                noted.write(noted.take(connection))
            except BaseException as error:
                # A greenlet that was stopped here has left an unfinished exchange with the server.
                if not isinstance(error, Exception):
                    connection.invalidate()
                raise
        return value

    def _make_engine(self, url: URL) -> Engine:
        # The second option notices a firewall that has dropped an idle connection before a job uses it.
        options = {
            "tcp_user_timeout": str(round(self._patience_seconds * 1000)),
            "keepalives_idle": _KEEPALIVE_SECONDS,
        }
        engine = engine_of_servers(
            url, seconds=self._patience_seconds, pool_size=_POOL_SIZE, server=options, connect_server=self._opener.open
        )

        @event.listens_for(engine, "handle_error")
        def leave(context: ExceptionContext) -> None:
            if context.connection is not None and _sqlstate(context.original_exception) in _LEFT:
                context.is_disconnect = True

        return engine


def _check_of(fence: Fence | None) -> Callable[[], None]:
    """Return a check for one job: it raises StorageUnavailable unless the lease under which the job began holds."""
    number = None if fence is None else fence.number

    def require_open() -> None:
        if fence is not None and not (fence.open and fence.number == number):
            raise StorageUnavailable("the lease of this instance is in doubt")

    return require_open


def _sqlstate(error: BaseException | None) -> str | None:
    return getattr(error, "sqlstate", None)


def _commit(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    # The server would answer the COMMIT with a rollback, and report no error.
    if isinstance(driver, psycopg.Connection) and driver.info.transaction_status is TransactionStatus.INERROR:
        raise RuntimeError("a job went on after its own statement had failed: all of it is rolled back")
    if isinstance(driver, Session):
        driver.warning = None
    try:
        connection.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StorageUnavailable("the reply to a commit was lost; the outcome is not known") from error
        raise
    if isinstance(driver, Session) and driver.warning is not None:
        # An administrator, or a limit of time, has ended the wait for the standby. The server only warns of it.
        raise StorageUnavailable("the server did not wait for its standby; a failover could lose the commit")
