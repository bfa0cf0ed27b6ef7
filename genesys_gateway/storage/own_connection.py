"""The connection that an instance keeps for its lease alone, so that no other work can delay a renewal.

Invariant: only this file chooses between the two kinds; the lease does not know which database it has.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.storage.engine import Storage
from genesys_gateway.storage.portable import is_shared

T = TypeVar("T")


class OwnConnection(Protocol):
    """What the lease needs. Only one greenlet uses it."""

    #: since when it is connected without a break (monotonic seconds); infinite while it is not
    connected_since: float

    def hold(self, instance_id: str) -> None:
        """Hold the lock of this instance, and of no other, from the next job on."""

    def run(self, job: Callable[[Connection], T]) -> T:
        """Run a job in a transaction of its own, and connect before if need be. Raises StorageUnavailable."""

    def wait(self, tasks: TaskGroup, seconds: float) -> bool:
        """Wait until another instance gives a hint, the connection breaks, the group stops, or the time is over.

        Returns:
            Whether there was a hint or a break.
        """

    def close(self) -> None:
        """Close it, and give up the lock."""


class ThroughStorage:
    """For SQLite: the storage of the process, which no other process shares."""

    connected_since = 0.0

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def hold(self, instance_id: str) -> None:
        """Do nothing: the lock of the file proves that this process lives."""

    def run(self, job: Callable[[Connection], T]) -> T:
        """Run the job."""
        return self._storage.run(job)

    def wait(self, tasks: TaskGroup, seconds: float) -> bool:
        """Wait: there is nobody who could give a hint."""
        tasks.wait(seconds)
        return False

    def close(self) -> None:
        """Do nothing: the storage is closed by its owner."""


def own_connection(database_url: str, storage: Storage, clock: Clock, lease_seconds: float) -> OwnConnection:
    """Return the connection for the lease of this process, for a database of either kind; it is not open yet."""
    if is_shared(database_url):
        from genesys_gateway.storage.postgres_own_connection import PostgresOwnConnection  # needs its driver

        return PostgresOwnConnection(database_url, clock, lease_seconds)
    return ThroughStorage(storage)
