"""Hides the differences between the SQL of SQLite and of PostgreSQL."""

from collections.abc import Mapping
from functools import cache
from typing import cast

from sqlalchemy import Connection, Executable, Table, false, make_url, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.storage.tables import instance

#: Key in ``Connection.info`` of the clock that a SQLite connection uses.
CLOCK = "clock"

#: Name under which PostgreSQL passes on hints between instances.
HINTS = "genesys_gateway"

#: Options of every statement. Without them PostgreSQL's ``rowcount`` is -1 after an INSERT that met a conflict.
EXECUTION_OPTIONS = {"preserve_rowcount": True}

#: Errors that a job raises for a value the database can't store, such as a NUL byte in PostgreSQL.
NOT_STORABLE = (SQLAlchemyError, ValueError, LookupError)

#: ``clock_timestamp`` advances within a transaction; ``now()`` would return the time the transaction began.
_POSTGRESQL_NOW = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")

_CHANGE_NO_ROW = update(instance).where(false()).values(epoch=instance.c.epoch)


def is_shared(database_url: str) -> bool:
    """Whether several instances may use this database."""
    return make_url(database_url).get_backend_name() == "postgresql"


def database_now(connection: Connection) -> int:
    """Return epoch milliseconds on the clock that all users of this database share. Compare leases with no other.

    A SQLite database is used by one process, so its clock is that of the process.
    """
    if connection.dialect.name == "postgresql":
        return cast(int, connection.execute(_POSTGRESQL_NOW).scalar_one())
    return cast(Clock, connection.info[CLOCK]).now()


def insert_for(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT with ``on_conflict_do_nothing`` and ``on_conflict_do_update``, which both databases share."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


@cache
def _insert_new(dialect: str, table: Table) -> Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def put_new(connection: Connection, table: Table, row: Mapping[str, object]) -> bool:
    """Insert a row unless its key exists already; return whether it was inserted.

    The statement is built only once, because building it costs as much as running it.
    """
    return bool(connection.execute(_insert_new(connection.dialect.name, table), row).rowcount)


def write_nothing(connection: Connection) -> None:
    """Change nothing, but in such a way that the commit must write to disk."""
    if connection.dialect.name == "postgresql":
        # A transaction with an id leaves a commit record in the write-ahead log.
        connection.exec_driver_sql("SELECT pg_current_xact_id()")
        # A read-only session and a user without write permission get an id as well; this statement fails for them.
        connection.execute(_CHANGE_NO_ROW)
    else:
        # Setting it writes the first page even if the value stays the same.
        connection.exec_driver_sql("PRAGMA user_version = 0")


def give_hint(connection: Connection) -> None:
    """Tell the other instances after the commit that there is work for them. They would find it anyway, but later."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"NOTIFY {HINTS}")
