"""Holds the lease of this instance: while it lasts, the instance owns its conversations and its channels.

Invariant: once its lease has ended, an instance may have lost its conversations to another; it enters again before it
adopts. Nothing has to be written for a lease to end; the channels of its owner end with it.
"""

from collections.abc import Callable

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.storage import Connection, Storage
from genesys_gateway.storage.statements import instances

log = get_logger(__name__)


class Lease:
    """The row of this instance, its renewal, and what the instance owns through it.

    Args:
        owner: Id of this instance.
        seconds: How long the lease lasts without renewal.
        alone: Whether this process holds the lock of a SQLite file, so that no other instance runs.
        follow: Called with each conversation that the instance adopts while it runs; must not wait.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        *,
        owner: str,
        seconds: float,
        alone: bool,
        follow: Callable[[str], None],
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._owner = owner
        self._seconds = seconds
        self._lease_ms = round(seconds * 1000)
        self._alone = alone
        self._follow = follow

    def enter(self) -> list[str]:
        """Begin the lease and adopt every followed conversation without a living owner.

        Returns:
            The adopted conversations, oldest first.

        Raises:
            StorageUnavailable: The lease may have begun or not; try again.
        """
        return self._storage.run(self._enter)

    def renew(self) -> bool:
        """Begin the time of the lease anew. False if the instance is not in the database: it has to enter again.

        Raises:
            StorageUnavailable: It may have been renewed or not.
        """
        return self._storage.run(self._renew)

    def run(self, tasks: TaskGroup) -> None:
        """Renew three times in each lease, and adopt conversations without a living owner, until the group stops."""
        while not tasks.wait(self._seconds / 3):
            try:
                if not self.renew():
                    log.error("lease_lost", instance=self._owner)
                    self._storage.run(lambda connection: instances.enter(connection, self._owner, self._lease_ms))
                for conversation_id in self._storage.run(self._adopt):
                    self._follow(conversation_id)
            except StorageUnavailable as error:
                log.warning("lease_not_renewed", error=str(error))

    def leave(self) -> None:
        """End the lease: other instances may adopt the conversations at once."""
        try:
            self._storage.run(lambda connection: instances.leave(connection, self._owner))
        except StorageUnavailable as error:
            log.warning("lease_not_ended", error=str(error))  # it ends by itself

    def _enter(self, connection: Connection) -> list[str]:
        if self._alone:
            instances.end_all_leases(connection)
        instances.enter(connection, self._owner, self._lease_ms)
        return self._adopt(connection)

    def _renew(self, connection: Connection) -> bool:
        return instances.renew(connection, self._owner, self._lease_ms)

    def _adopt(self, connection: Connection) -> list[str]:
        return instances.adopt(connection, self._owner, lease_ms=self._lease_ms, now=self._clock.now())
