"""Creates and upgrades the tables of a database before they are used.

Alembic is imported only if there is something to do, because the import takes longer than the check.

Invariant: a migration holds a lock of the database. If several instances start at once, one migrates, and the others
find it done.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from genesys_gateway.runtime.errors import PermanentFailure, StorageUnavailable, UnsafeDatabase
from genesys_gateway.storage import sqlite_file
from genesys_gateway.storage.connections import engine_of

#: The newest revision in ``migrations``. Revisions are numbers of four digits, so they can be compared.
HEAD = "0011"
#: The oldest revision whose version of the gateway may use the tables of ``HEAD``: that of the release before, because
#: migrations only add. It is noted in the database, where that release finds it when it is started again.
OLDEST = "0010"

_VERSION_TABLE = "alembic_version"
#: The column of that table in which ``OLDEST`` is noted, with the revision for which it holds: ``0011 from 0010``.
#: Alembic neither reads nor changes it.
_NOTE_COLUMN = "usable"
_READ_VERSION = text("SELECT version_num FROM alembic_version")
_READ_NOTE = text("SELECT usable FROM alembic_version")
_WRITE_NOTE = text("UPDATE alembic_version SET usable = :note")
#: What PostgreSQL must not have turned off, or it can lose commits.
_READ_SAFETY = text("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
#: How long to wait for another instance's migration. No instance serves requests meanwhile anyway.
_LOCK_SECONDS = 60.0
#: How long to wait for a connection to a server.
_CONNECT_SECONDS = 10.0

#: Statements that take the lock. PostgreSQL releases it when the transaction ends; the number was drawn at random once
#: and is used for nothing else. The limit holds for this lock only, because a migration itself may wait for tables.
_LOCKS = {
    "sqlite": ("BEGIN EXCLUSIVE",),
    "postgresql": (
        "SET LOCAL lock_timeout = {milliseconds}",
        "SELECT pg_advisory_xact_lock(6144207370317563113)",
        "SET LOCAL lock_timeout = 0",
    ),
}


class DatabaseTooNew(PermanentFailure):
    """The tables are of a newer version of the gateway, and that does not say that this one may use them."""


class DatabaseTooOld(PermanentFailure):
    """The tables are missing, or are of an older version of the gateway."""


class TablesMissing(DatabaseTooOld):
    """The tables are missing: no version of the gateway has ever used this database."""


def migrate(database_url: str, seconds: float = _LOCK_SECONDS) -> bool:
    """Create or upgrade the tables if needed, completely or not at all.

    Tables of a later version are left as they are if it has noted that this version may use them. A repetition changes
    nothing and takes milliseconds. A database in memory is not migrated, because ``Storage.open`` creates its tables.

    Args:
        database_url: A SQLite file or PostgreSQL.
        seconds: How long to wait for another process's lock; a connection to a server has at most 10 s of it.

    Returns:
        Whether anything was changed.

    Raises:
        DatabaseTooNew: Install the version of the gateway that last used this database, the one before, or a later one.
        UnsafeDatabase: PostgreSQL can lose commits, or the SQLite file has two names.
        StorageUnavailable: The database can't be reached, opened, locked or changed; the message contains the
            database's own.
        OSError: The folder or file of a SQLite database can't be created.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return _migrate(engine_of(url, seconds=min(seconds, _CONNECT_SECONDS)), seconds)
    path = sqlite_file.path_of(url)
    if path is None:
        return False
    sqlite_file.prepare(path)
    return _migrate(engine_of(url, seconds=seconds), seconds)


def require_current(connection: Connection) -> None:
    """Check that the tables are those of this version, for callers that must not change them.

    Raises:
        TablesMissing: Neither a gateway nor ``migrate`` has ever used this database.
        DatabaseTooOld: An older version was the last to use it.
        DatabaseTooNew: Use the version of the gateway that last used this database, the one before, or a later one.
    """
    require_tables(connection)
    if _is_behind(connection):
        raise DatabaseTooOld("the tables are older than this version; start the gateway, or run: migrate")


def require_tables(connection: Connection) -> str:
    """Return the revision of the tables, for callers that work with those of any version.

    Raises:
        TablesMissing: Neither a gateway nor ``migrate`` has ever used this database.
    """
    if not _has_tables(connection):
        raise TablesMissing("the tables of the gateway are missing; start the gateway, or run: migrate")
    return str(connection.execute(_READ_VERSION).scalar())


def _migrate(engine: Engine, seconds: float) -> bool:
    try:
        with engine.connect() as connection:
            _require_safe(connection)
            if not _is_behind(connection):
                return False
            connection.rollback()
            for statement in _LOCKS[connection.dialect.name]:
                connection.exec_driver_sql(statement.format(milliseconds=round(seconds * 1000)))
            # Another instance may have migrated while this one waited for the lock.
            behind = _is_behind(connection)
            if behind:
                _upgrade(connection)
            connection.commit()
            return behind
    except DBAPIError as error:
        raise StorageUnavailable(f"the tables can't be made or checked: {error.orig}") from error
    finally:
        engine.dispose()


def _require_safe(connection: Connection) -> None:
    if connection.dialect.name == "postgresql" and "off" in connection.execute(_READ_SAFETY).one():
        raise UnsafeDatabase("PostgreSQL runs with fsync=off or synchronous_commit=off; turn both on")


def _is_behind(connection: Connection) -> bool:
    if not _has_tables(connection):
        return True
    version = connection.execute(_READ_VERSION).scalar()
    if version is None or version <= HEAD:
        return bool(version != HEAD)
    if _has_note(connection):
        noted, _, oldest = str(connection.execute(_READ_NOTE).scalar()).partition(" from ")
        if noted == version and "" < oldest <= HEAD:
            return False
    raise DatabaseTooNew(f"the database is at revision {version}, this version of the gateway knows {HEAD} at most")


def _has_tables(connection: Connection) -> bool:
    return inspect(connection).has_table(_VERSION_TABLE)


def _has_note(connection: Connection) -> bool:
    return any(column["name"] == _NOTE_COLUMN for column in inspect(connection).get_columns(_VERSION_TABLE))


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    command.upgrade(config, HEAD)
    if not _has_note(connection):
        connection.exec_driver_sql(f"ALTER TABLE {_VERSION_TABLE} ADD COLUMN {_NOTE_COLUMN} VARCHAR(80)")
    connection.execute(_WRITE_NOTE, {"note": f"{HEAD} from {OLDEST}"})
