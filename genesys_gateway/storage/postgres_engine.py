"""Makes the engines through which SQLAlchemy connects to PostgreSQL, on one server or several.

Invariant: as in ``connections``, no engine writes the values of a statement into an error.
"""

from typing import Any

import psycopg
from sqlalchemy import URL, Engine, NullPool, create_engine, event

from genesys_gateway.storage.portable import EXECUTION_OPTIONS
from genesys_gateway.storage.servers import Connect, Servers, number_of_hosts

#: Minimum time to connect to a server, in seconds: the driver takes no less.
_LEAST_CONNECT_SECONDS = 2
#: After how long a connection of a pool is replaced. A new one finds out how the server replicates now.
_RECYCLE_SECONDS = 900


def engine_of_servers(
    url: URL,
    *,
    seconds: float,
    name: str = "genesys-gateway",
    pool_size: int = 0,
    server: dict[str, Any] | None = None,
    connect_server: Connect = psycopg.Connection.connect,
) -> Engine:
    """Return an engine for a database on PostgreSQL.

    Args:
        url: One server or several.
        seconds: How long to wait for a connection; several servers share it equally, but each has at least 2 s.
        name: What the server's administrator sees as the name of the program.
        pool_size: Maximum number of connections; 0 opens a new one each time.
        server: Further options of the connections.
        connect_server: Opens a connection to one server in another way than psycopg.
    """
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
