"""Makes the engines through which SQLAlchemy connects to either database.

Invariant: no engine writes the values of a statement into an error, because they may be personal data.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.storage import sqlite_file
from genesys_gateway.storage.portable import CLOCK, EXECUTION_OPTIONS


def engine_of(
    url: URL,
    *,
    seconds: float,
    clock: Clock | None = None,
    begin: Callable[[], str] | None = None,
    connect: Callable[[], sqlite3.Connection] | None = None,
    name: str = "genesys-gateway",
    server: dict[str, Any] | None = None,
) -> Engine:
    """Return an engine for a database of either kind, which opens a new connection each time.

    Args:
        url: A database that SQLite keeps in a file or in memory, or one on a PostgreSQL server.
        seconds: How long to wait for another process's lock of a SQLite file; for a connection to a server. If the
            URL names several servers, each has an equal share of it, but at least 2 s.
        clock: What :func:`~genesys_gateway.storage.portable.database_now` reads on SQLite.
        begin: Returns the statement that begins a transaction of SQLite; called once for each. Without it, each
            statement that the caller does not begin a transaction for is one of its own.
        connect: Opens a connection to SQLite in another way than :func:`sqlite_file.connect`.
        name: What the server's administrator sees as the name of the program.
        server: Further options of the connections to a server.
    """
    if url.get_backend_name() == "sqlite":
        path = sqlite_file.path_of(url)
        return _of_sqlite(connect or (lambda: sqlite_file.connect(path, seconds)), clock, begin)
    from genesys_gateway.storage.postgres_engine import engine_of_servers  # its driver need not be installed

    return engine_of_servers(url, seconds=seconds, name=name, server=server)


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
