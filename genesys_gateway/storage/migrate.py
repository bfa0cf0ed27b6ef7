"""Brings the tables of a database to what this code expects, before anybody works with them.

Law: it runs under a lock of the database, so that of several starting instances one does it and the others find it
done. Alembic is imported only when there is something to do: it takes longer than the question whether there is.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from genesys_gateway.runtime.errors import PermanentFailure, StorageUnavailable
from genesys_gateway.storage import sqlite_file

#: The newest revision of this code; revisions are numbers of four digits, so that they can be compared.
HEAD = "0004"

_VERSION_TABLE = "alembic_version"
#: As long as another instance's migration may take; nobody is served in that time anyway.
_LOCK_SECONDS = 60.0

#: PostgreSQL lets go of this lock when the transaction ends; the number is the gateway's own, drawn once at random.
_LOCKS = {
    "sqlite": "BEGIN EXCLUSIVE",
    "postgresql": "SELECT pg_advisory_xact_lock(6144207370317563113)",
}


class DatabaseTooNew(PermanentFailure):
    """The tables were made by a newer version of the gateway; this one could damage what it does not know."""


class DatabaseTooOld(PermanentFailure):
    """The tables are missing, or were made by an older version of the gateway."""


class TablesMissing(DatabaseTooOld):
    """No version of the gateway has ever run on it."""


def migrate(database_url: str) -> bool:
    """Make or change the tables where needed; all of it, or nothing.

    A repetition does nothing, and takes milliseconds. A database in memory is left alone: it gets its tables from
    ``Storage.open``.

    Returns:
        Whether anything was done.

    Raises:
        DatabaseTooNew: Install the version of the gateway that was used with this database last, or a later one.
        StorageUnavailable: The database can't be reached, opened, locked or changed; the message has its own words.
        OSError: The folder or file of a SQLite database can't be made.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return _migrate(create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 10}))
    path = sqlite_file.path_of(url)
    if path is None:
        return False
    sqlite_file.prepare(path)
    return _migrate(
        create_engine(
            "sqlite+pysqlite://", creator=lambda: sqlite_file.connect(path, _LOCK_SECONDS), poolclass=NullPool
        )
    )


def require_current(connection: Connection) -> None:
    """Make sure that the statements of this code fit the tables, for whoever has no business to change those.

    Raises:
        TablesMissing: No gateway has ever run on it, nor has ``migrate``.
        DatabaseTooOld: None of this version has.
        DatabaseTooNew: Use the version of the gateway that was used with this database last, or a later one.
    """
    if not _has_tables(connection):
        raise TablesMissing("the tables of the gateway are missing; start the gateway, or run: migrate")
    if _is_behind(connection):
        raise DatabaseTooOld("the tables are older than this version; start the gateway, or run: migrate")


def _migrate(engine: Engine) -> bool:
    try:
        with engine.connect() as connection:
            if not _is_behind(connection):
                return False
            connection.rollback()
            connection.exec_driver_sql(_LOCKS[connection.dialect.name])
            # Another instance may have done it while we waited for the lock.
            behind = _is_behind(connection)
            if behind:
                _upgrade(connection)
            connection.commit()
            return behind
    except DBAPIError as error:
        raise StorageUnavailable(f"the tables can't be made or checked: {error.orig}") from error
    finally:
        engine.dispose()


def _is_behind(connection: Connection) -> bool:
    if not _has_tables(connection):
        return True
    # A constant of this module, no value from outside.
    version = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()  # noqa: S608
    if version is not None and version > HEAD:
        raise DatabaseTooNew(f"the database is at revision {version}, this version of the gateway knows {HEAD} at most")
    return version != HEAD


def _has_tables(connection: Connection) -> bool:
    return inspect(connection).has_table(_VERSION_TABLE)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    command.upgrade(config, HEAD)
