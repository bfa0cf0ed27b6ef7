"""Makes the engines through which SQLAlchemy connects to either database.

Invariant: no engine writes the values of a statement into an error, because they may be personal data.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.storage import sqlite_file
from genesys_gateway.storage.portable import CLOCK, EXECUTION_OPTIONS
from genesys_gateway.storage.servers import Connect, Servers, number_of_hosts

#: Minimum time to connect to a server, in seconds: the driver takes no less.
_LEAST_CONNECT_SECONDS = 2
#: After how long a connection of a pool is replaced. A new one finds out how the server replicates now.
_RECYCLE_SECONDS = 900


def engine_of(
    url: URL,
    *,
    seconds: float,
    clock: Clock | None = None,
    begin: Callable[[], str] | None = None,
    connect: Callable[[], sqlite3.Connection] | None = None,
    name: str = "genesys-gateway",
    pool_size: int = 0,
    server: dict[str, Any] | None = None,
    connect_server: Connect = psycopg.Connection.connect,
) -> Engine:
    """Return an engine for a database of either kind.

    Args:
        url: A database that SQLite keeps in a file or in memory, or one on a PostgreSQL server.
        seconds: How long to wait for another process's lock of a SQLite file; for a connection to a server. If the
            URL names several servers, each has an equal share of it, but at least 2 s.
        clock: What :func:`~genesys_gateway.storage.portable.database_now` reads on SQLite.
        begin: Returns the statement that begins a transaction of SQLite; called once for each. Without it, each
            statement that the caller does not begin a transaction for is one of its own.
        connect: Opens a connection to SQLite in another way than :func:`sqlite_file.connect`.
        name: What the server's administrator sees as the name of the program.
        pool_size: Maximum number of connections to a server; 0 opens a new one each time. SQLite always does.
        server: Further options of the connections to a server.
        connect_server: Opens a connection to one server in another way than psycopg.
    """
    if url.get_backend_name() == "sqlite":
        path = sqlite_file.path_of(url)
        return _of_sqlite(connect or (lambda: sqlite_file.connect(path, seconds)), clock, begin)
    pool: dict[str, Any] = {"poolclass": NullPool}
    if pool_size:
        pool = {
            "pool_size": pool_size,
            "max_overflow": 0,
            "pool_timeout": seconds,
            "pool_recycle": _RECYCLE_SECONDS,
        }
    engine = create_engine(url, hide_parameters=True, execution_options=EXECUTION_OPTIONS, **pool)
    options = {"application_name": name, **(server or {}), **_search_options(engine, seconds)}
    servers = Servers(connect_server)

    @event.listens_for(engine, "do_connect")
    def connect_to_primary(
        _dialect: object, _record: object, _arguments: object, given: dict[str, Any]
    ) -> psycopg.Connection[Any]:
        return servers.connect(_merged(options, given))

    return engine


def _merged(ours: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Options of a connection. What the URL says goes first, but the server's settings of both are made."""
    both = " ".join(str(one["options"]) for one in (given, ours) if "options" in one)
    return ours | given | ({"options": both} if both else {})


def _search_options(engine: Engine, seconds: float) -> dict[str, Any]:
    """Options with which one server of several that does not answer, or is a standby, is passed over in time."""
    hosts = number_of_hosts(engine.dialect.create_connect_args(engine.url)[1])
    options: dict[str, Any] = {"connect_timeout": max(_LEAST_CONNECT_SECONDS, round(seconds / hosts))}
    return options | ({"target_session_attrs": "read-write"} if hosts > 1 else {})


def _of_sqlite(
    connect: Callable[[], sqlite3.Connection], clock: Clock | None, begin: Callable[[], str] | None
) -> Engine:
    engine = create_engine(
        "sqlite+pysqlite://",
        creator=connect,
        poolclass=NullPool,
        hide_parameters=True,
        execution_options=EXECUTION_OPTIONS,
    )

    @event.listens_for(engine, "connect")
    def carry_clock(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[CLOCK] = clock

    if begin is not None:
        first = begin

        @event.listens_for(engine, "begin")
        def begin_transaction(connection: Connection) -> None:
            connection.exec_driver_sql(first())

    return engine
