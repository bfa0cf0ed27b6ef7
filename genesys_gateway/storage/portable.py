"""What SQLite and PostgreSQL spell differently, spelled once."""

from typing import cast

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite

from genesys_gateway.clock import Clock

#: Key of ``Connection.info`` under which a SQLite connection carries the clock of its process.
CLOCK = "clock"

#: ``clock_timestamp`` moves on within a transaction; ``now()`` would be the moment it began.
_POSTGRESQL_NOW = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")


def database_now(connection: Connection) -> int:
    """Epoch milliseconds on the clock that all users of this database share; only it is compared with leases.

    For SQLite, which one process owns, that is the process's own clock.
    """
    if connection.dialect.name == "postgresql":
        return cast(int, connection.execute(_POSTGRESQL_NOW).scalar_one())
    return cast(Clock, connection.info[CLOCK]).now()


def insert_for(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``, alike in both databases."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
