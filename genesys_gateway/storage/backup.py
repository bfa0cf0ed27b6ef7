"""Copies a SQLite database into a new file while a gateway writes to it.

Invariant: under the name that was asked for there is a whole copy, which is on disk and was checked, or nothing.
"""

import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from genesys_gateway.runtime.errors import GatewayError
from genesys_gateway.storage import sqlite_file
from genesys_gateway.storage.connections import engine_of
from genesys_gateway.storage.migrate import HEAD, require_tables
from genesys_gateway.storage.statements import accounting
from genesys_gateway.storage.statements.accounting import Balance

#: How often the interpreter may run beside the copying, in steps of SQLite, so that Ctrl-C ends it at once.
_STEPS = 100_000


class BackupRefused(GatewayError):
    """There is such a file already."""


class BackupFailed(GatewayError):
    """No copy was made, and nothing of it is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy that was made."""

    bytes: int
    #: revision of its tables
    revision: str
    #: what the copy holds; None if the tables are those of another version, which may be a later one
    balance: Balance | None


def copy(database: Path, target: Path, busy_seconds: float) -> Backup:
    """Copy the database as it is at one moment, which takes some seconds for each gigabyte.

    The tables may be those of another version, because a copy is wanted before an upgrade. It takes one read
    transaction, so a writer neither waits nor makes the copy begin again. Meanwhile the write-ahead log of the database
    grows by what is written.

    Raises:
        BackupRefused: There is something of that name; it is unchanged.
        BackupFailed: The disk is full, for example, or the copy is damaged.
    """
    if os.path.lexists(target):
        raise BackupRefused(f"{target} exists already; give a new name")
    try:
        # Only its owner may read it, before there is anything in it.
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
        os.close(descriptor)
    except OSError as error:
        raise BackupFailed(f"{target} can't be made: {error.strerror}") from error
    partial = Path(name)
    try:
        _vacuum(database, partial, busy_seconds)
        revision, balance = _check(partial)
        made = Backup(bytes=partial.stat().st_size, revision=revision, balance=balance)
        _sync(partial)
        _name(partial, target)
        _sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise BackupFailed(f"no copy was made in {target.parent}: {error}") from error
    finally:
        for left in (partial, *(partial.with_name(f"{partial.name}{end}") for end in ("-journal", "-wal", "-shm"))):
            left.unlink(missing_ok=True)
    return made


def _vacuum(database: Path, partial: Path, busy_seconds: float) -> None:
    with closing(sqlite_file.connect(database, busy_seconds)) as connection:
        connection.set_progress_handler(lambda: 0, _STEPS)
        connection.execute("VACUUM INTO ?", [str(partial)])


def _check(partial: Path) -> tuple[str, Balance | None]:
    with closing(sqlite_file.look(partial, 0)) as connection:
        connection.set_progress_handler(lambda: 0, _STEPS)
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise BackupFailed(f"the copy is damaged, so the database may be, too: {found}")
    engine = engine_of(URL.create("sqlite"), seconds=0, connect=lambda: sqlite_file.look(partial, 0))
    with engine.connect() as connection:
        revision = require_tables(connection)
        return revision, accounting.balance(connection) if revision == HEAD else None


def _name(partial: Path, target: Path) -> None:
    """Give the copy its name. Unlike a renaming, this never replaces a file that was made meanwhile."""
    try:
        os.link(partial, target)
    except FileExistsError as error:
        raise BackupRefused(f"{target} exists already; give a new name") from error
    except OSError:  # a file system without hard links
        partial.rename(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
