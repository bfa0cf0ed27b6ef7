"""What SQLite and PostgreSQL spell differently, spelled once."""

from collections.abc import Mapping
from functools import cache
from typing import cast

from sqlalchemy import Connection, Executable, Table, false, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.storage.tables import instance

#: Key of ``Connection.info`` under which a SQLite connection carries the clock of its process.
CLOCK = "clock"

#: Of every statement: without it PostgreSQL's ``rowcount`` is -1 after an INSERT that met a conflict.
EXECUTION_OPTIONS = {"preserve_rowcount": True}

#: What a job raises for a value that the database can not hold, such as a NUL byte in PostgreSQL.
NOT_STORABLE = (SQLAlchemyError, ValueError, LookupError)

#: ``clock_timestamp`` moves on within a transaction; ``now()`` would be the moment it began.
_POSTGRESQL_NOW = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")

_CHANGE_NO_ROW = update(instance).where(false()).values(epoch=instance.c.epoch)


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


@cache
def _insert_new(dialect: str, table: Table) -> Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def put_new(connection: Connection, table: Table, row: Mapping[str, object]) -> bool:
    """Insert a row unless its key is there already; whether it was inserted.

    The statement is built once: building it costs as much as running it.
    """
    return bool(connection.execute(_insert_new(connection.dialect.name, table), row).rowcount)


def write_nothing(connection: Connection) -> None:
    """Make the transaction one that must be written to disk, without changing anything."""
    if connection.dialect.name == "postgresql":
        # A transaction with a number of its own leaves a commit record in the log.
        connection.exec_driver_sql("SELECT pg_current_xact_id()")
        # A number is also given where nothing may be written: to a read-only session, to a user without the right.
        connection.execute(_CHANGE_NO_ROW)
    else:
        # Setting it writes the first page, also when the value stays the same.
        connection.exec_driver_sql("PRAGMA user_version = 0")
