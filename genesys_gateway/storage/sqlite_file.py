"""Where the SQLite file lies, and that nobody but its owner can read it.

Law: only :func:`prepare` makes the file; whoever merely opens it gets an error when it is missing, never an empty one.
"""

import os
import sqlite3
from pathlib import Path

from sqlalchemy import URL

_OWNER_ONLY = 0o600
_FOLDER_OWNER_ONLY = 0o700


def path_of(url: URL) -> Path | None:
    """The absolute path of a SQLite URL; None for a database in memory."""
    if url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).absolute()


def prepare(path: Path) -> None:
    """Make the folder and the file where they are missing, and take every right from others.

    SQLite gives its ``-wal`` and ``-shm`` files the mode of the main file; those left by an earlier run are mended too.

    Raises:
        OSError: The folder or the file can't be made, or belongs to somebody else.
    """
    path.parent.mkdir(mode=_FOLDER_OWNER_ONLY, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY))
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        file = path.with_name(name)
        if file.exists() and file.stat().st_mode & 0o077:
            file.chmod(_OWNER_ONLY)


def look(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """A connection to read with, after which the file and what lies beside it are byte for byte as before.

    For a file that may be somebody else's. Raises sqlite3.Error when it can't be opened.
    """
    # Who may write would clear up what lies there; who may not would leave the files of an empty log behind.
    beside = any(path.with_name(f"{path.name}{end}").exists() for end in ("-wal", "-journal"))
    target = f"{path.as_uri()}?mode={'ro' if beside else 'rw'}"
    return sqlite3.connect(target, uri=True, timeout=busy_seconds, isolation_level=None)


def connect(path: Path | None, busy_seconds: float) -> sqlite3.Connection:
    """A connection that begins and ends transactions only when told to, and belongs to this thread.

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
        # WAL with less than FULL may lose the last commits when the power fails.
        connection.execute("PRAGMA synchronous = FULL")
        # What retention erases must not linger in free pages.
        connection.execute("PRAGMA secure_delete = ON")
        if mode != ("memory" if path is None else "wal"):
            raise sqlite3.OperationalError("this file system can't hold a write-ahead log")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
