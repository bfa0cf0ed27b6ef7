"""The connection for the lease alone, on PostgreSQL: one session, opened again whenever it has broken.

Invariant: while it is open, the session holds the advisory lock of the instance, or tries to take it at each job. A
notification is only a hint: one that is lost delays work until the next look, and loses none.
"""

from collections.abc import Callable
from math import inf
from typing import Any, TypeVar, cast

import gevent
import psycopg
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError

from genesys_gateway.runtime.clock import Clock, Deadline
from genesys_gateway.runtime.errors import StorageUnavailable, UnsafeDatabase
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.storage import instance_lock
from genesys_gateway.storage.portable import HINTS
from genesys_gateway.storage.postgres_engine import engine_of_servers
from genesys_gateway.storage.postgres_session import SessionOpener

log = get_logger(__name__)

T = TypeVar("T")

#: How long a job may take, as a share of the lease: a renewal that hangs must leave time for another one.
_PATIENCE_SHARE = 1 / 6
#: Longest wait before the group is looked at again, in seconds.
_SLICE = 0.25


class PostgresOwnConnection:
    """One session on PostgreSQL, opened again by the next job whenever it has broken.

    Args:
        database_url: A URL with the driver ``postgresql+psycopg``.
        lease_seconds: How long the lease lasts; it limits the time of a job.
    """

    def __init__(self, database_url: str, clock: Clock, lease_seconds: float) -> None:
        self._clock = clock
        self._patience_seconds = patience = lease_seconds * _PATIENCE_SHARE
        self._engine = engine_of_servers(
            make_url(database_url),
            seconds=patience,
            name="genesys-gateway lease",
            server={"tcp_user_timeout": str(round(patience * 1000))},
            connect_server=SessionOpener(patience, patience, warns=False).open,
        )
        self._connection: Connection | None = None
        self._instance_id = ""
        self._holds = False
        self.connected_since = inf

    def hold(self, instance_id: str) -> None:
        """See :class:`~genesys_gateway.storage.own_connection.OwnConnection`."""
        self._instance_id = instance_id
        self._holds = False

    def run(self, job: Callable[[Connection], T]) -> T:
        """See :class:`~genesys_gateway.storage.own_connection.OwnConnection`. It takes at most a sixth of the lease.

        Raises:
            StorageUnavailable: The job is not committed, or its outcome is unknown.
        """
        patience = gevent.Timeout(self._patience_seconds)
        try:
            with patience:
                connection = self._connected()
                with connection.begin():
                    return job(connection)
        except gevent.Timeout as timeout:
            self._drop()
            if timeout is not patience:
                raise
            raise StorageUnavailable("the database is too slow; the outcome is not known") from None
        except (DBAPIError, psycopg.Error, UnsafeDatabase) as error:
            self._drop()
            raise StorageUnavailable("the database can't be reached over the connection of the lease") from error
        except BaseException:
            self._drop()  # it may be in the middle of an exchange with the server
            raise

    def wait(self, tasks: TaskGroup, seconds: float) -> bool:
        """See :class:`~genesys_gateway.storage.own_connection.OwnConnection`."""
        left = Deadline(self._clock, seconds)
        while not (tasks.stopping or left.passed):
            if self._connection is None:
                tasks.wait(left.left())
            elif self._hinted(self._connection, min(left.left(), _SLICE)):
                return True
        return False

    def close(self) -> None:
        """See :class:`~genesys_gateway.storage.own_connection.OwnConnection`."""
        self._drop()
        self._engine.dispose()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._holds = False
            connection = self._engine.connect()
            self._connection = connection
            with connection.begin():
                connection.exec_driver_sql(f"LISTEN {HINTS}")
            self.connected_since = self._clock.monotonic()
        if not self._holds:
            with self._connection.begin():
                instance_lock.free_all(self._connection)
                # In vain as long as the server has not noticed the end of a session that this process lost.
                self._holds = instance_lock.take(self._connection, self._instance_id)
        return self._connection

    def _hinted(self, connection: Connection, seconds: float) -> bool:
        driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        try:
            return any(True for _ in driver.notifies(timeout=seconds, stop_after=1))
        except psycopg.Error as error:
            log.info("lease_connection_broken", error=str(error))
            self._drop()
            return True

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self.connected_since = inf
        if connection is not None:
            connection.invalidate()
            connection.close()
