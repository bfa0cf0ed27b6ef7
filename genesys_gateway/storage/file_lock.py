"""The lock that lets only one process use a SQLite file.

Invariant: the kernel holds the lock, so it ends with its process, however that ends. The lock file is never removed:
otherwise two processes could each lock a different file of the same name.
"""

import fcntl
import os
from pathlib import Path

from sqlalchemy import make_url

from genesys_gateway.storage import sqlite_file


class FileLock:
    """An exclusive lock on a file that serves only this purpose.

    Args:
        path: The lock file; :meth:`acquire` creates it and its folder if they are missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @classmethod
    def beside(cls, database_url: str) -> "FileLock | None":
        """Return the lock of a database; None for PostgreSQL and a database in memory, which need none."""
        url = make_url(database_url)
        path = sqlite_file.path_of(url) if url.get_backend_name() == "sqlite" else None
        return None if path is None else cls(path.with_name(f"{path.name}.lock"))

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def is_taken(self) -> bool:
        """Whether any process holds the lock; creates and changes no file. Raises OSError if that can't be checked."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two processes that check at the same time don't take each other for the holder.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def acquire(self) -> bool:
        """Try once to acquire the lock, without waiting. A forked child shares the lock, so acquire it after forking.

        Returns:
            Whether this object holds the lock now. A repetition while it does changes nothing.

        Raises:
            OSError: The lock file can't be created or opened.
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
        """Release the lock. A repetition does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
