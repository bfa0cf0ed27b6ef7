"""The lock that lets only one process use a SQLite file.

Law: the kernel holds it, so it ends with the process however that dies. The lock file stays: removing it would let
two processes hold "the" lock on two files of one name.
"""

import fcntl
import os
from pathlib import Path

from sqlalchemy import make_url

from genesys_gateway.storage import sqlite_file


class FileLock:
    """An exclusive lock on a file of its own.

    Args:
        path: The lock file; made, with its folder, when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @classmethod
    def beside(cls, database_url: str) -> "FileLock | None":
        """The lock of that database; None where the database itself orders its users (PostgreSQL, memory)."""
        url = make_url(database_url)
        path = sqlite_file.path_of(url) if url.get_backend_name() == "sqlite" else None
        return None if path is None else cls(path.with_name(f"{path.name}.lock"))

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def is_taken(self) -> bool:
        """Whether somebody holds it; no file is made or changed. Raises OSError when that can't be told."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that of two who look at once neither takes the other for the holder.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def acquire(self) -> bool:
        """Try once, without waiting. A child made by fork shares the lock, so take it after forking.

        Returns:
            Whether the lock is held now; a repetition while it is held changes nothing.

        Raises:
            OSError: The lock file can't be made or opened.
        """
        if self._descriptor is None:
            sqlite_file.prepare(self._path)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let the next process have it. A repetition does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
