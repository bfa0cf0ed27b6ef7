"""The SQLite file: its path, its permissions, and connections to it.

Invariant: only :func:`prepare` creates the file. Opening a missing file is an error and never creates an empty one.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL

from genesys_gateway.runtime.errors import UnsafeDatabase

_OWNER_ONLY = 0o600
_FOLDER_OWNER_ONLY = 0o700
#: Space that a disk must have: about what a group of commits adds to the log.
_SPACE_BYTES = 256 * 1024
#: Length of the log, in pages of 4 KiB, from which on a commit makes a checkpoint itself, as SQLite does from 1,000 on.
#: So many come together only while commits leave :func:`checkpoint` no moment in which it has copied everything.
_LONG_LOG = 16_000


def path_of(url: URL) -> Path | None:
    """Return the absolute path of the file itself, behind all symbolic links; None for a database in memory."""
    if url.database in (None, "", ":memory:"):
        return None
    # Not Path.resolve, which raises RuntimeError for links that lead in a circle; opening them is an OSError.
    return Path(os.path.realpath(str(url.database)))


def prepare(path: Path) -> None:
    """Create the folder and the file if they are missing, and remove all permissions of other users.

    SQLite gives its ``-wal`` and ``-shm`` files the mode of the main file. Those left by an earlier run are corrected
    as well.

    Raises:
        OSError: The folder or the file can't be created, or belongs to another user.
        UnsafeDatabase: The file has a second name (a hard link).
    """
    path.parent.mkdir(mode=_FOLDER_OWNER_ONLY, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY))
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        file = path.with_name(name)
        if file.exists() and file.stat().st_mode & 0o077:
            file.chmod(_OWNER_ONLY)
    if path.stat().st_nlink > 1:
        # The log and the lock lie beside a name: under the other name a process would find neither.
        raise UnsafeDatabase(f"{path} has a second name (a hard link), under which commits can be lost: remove it")


def take_space(path: Path) -> None:
    """Take some space on the file system for a moment, in a file beside the database. Raises OSError if there is none.

    On a full disk a small commit may still succeed, because SQLite writes over the beginning of its log.
    """
    beside = path.with_name(f"{path.name}-room")
    file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, _OWNER_ONLY)
    try:
        beside.unlink()  # first, so that no crash leaves it
        os.posix_fallocate(file, 0, _SPACE_BYTES)
    finally:
        os.close(file)


def look(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Open a connection for reading that leaves the file, and the files beside it, unchanged byte for byte.

    For a file that may belong to another program. Raises sqlite3.Error if it can't be opened.
    """
    # If there is a log or a journal, open read-only, because a writing connection would clean it up. If there is none,
    # open for writing, because a read-only connection would leave the files of an empty log behind.
    beside = any(path.with_name(f"{path.name}{end}").exists() for end in ("-wal", "-journal"))
    target = f"{path.as_uri()}?mode={'ro' if beside else 'rw'}"
    return sqlite3.connect(target, uri=True, timeout=busy_seconds, isolation_level=None)


def connect(path: Path | None, busy_seconds: float) -> sqlite3.Connection:
    """Open a connection that never begins or ends a transaction by itself. Only this thread may use it.

    Args:
        path: An existing file, or None for a database in memory.
        busy_seconds: How long a statement waits for another process's lock.

    Raises:
        sqlite3.Error: There is no such file, or it is no database, or it can't have a write-ahead log.
    """
    target = ":memory:" if path is None else f"{path.as_uri()}?mode=rw"
    connection = sqlite3.connect(target, uri=True, timeout=busy_seconds, isolation_level=None)
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        # With WAL and less than FULL, the latest commits can be lost when the power fails.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LONG_LOG}")
        # Content erased by retention must not stay readable in free pages.
        connection.execute("PRAGMA secure_delete = ON")
        if mode != ("memory" if path is None else "wal"):
            raise sqlite3.OperationalError("this file system can't hold a write-ahead log")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def checkpoint(path: Path, busy_seconds: float) -> None:
    """Copy what is committed from the log into the file, so that the log is used again from its beginning.

    Nobody waits for it: what is committed meanwhile, and what somebody still reads, stays in the log for the next one.

    Raises:
        sqlite3.Error: As :func:`connect`; or the disk is full, for example. The log is as it was.
    """
    with closing(connect(path, busy_seconds)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
