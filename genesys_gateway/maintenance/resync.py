"""Resynchronises the database and the channel registry at intervals.

Invariant: the database decides which conversations are followed, the channels which are covered. Differences come from
commits with an unknown outcome and from changes that did not fit into the event spool. They are corrected here, so no
conversation stays uncovered, or subscribed, for ever because of them.
"""

from collections.abc import Callable

from genesys_gateway.channels import ChannelRegistry
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import ownership
from genesys_gateway.storage.statements.conversations import SUBSCRIBED

log = get_logger(__name__)


class Resync:
    """Compares the followed conversations of this instance with its channels, and corrects both sides.

    Args:
        identity: The id of this instance.
        uncovered: Called with conversations that are covered in the database but on no channel, and the moment (epoch
            milliseconds) since which they may have been uncovered; must not wait.
    """

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        clock: Clock,
        registry: ChannelRegistry,
        *,
        identity: Identity,
        uncovered: Callable[[list[str], int], None],
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._clock = clock
        self._logger = SampledLog(log, self._clock)
        self._registry = registry
        self._identity = identity
        self._uncovered = uncovered

    def run(self, tasks: TaskGroup) -> None:
        """Run until the task group stops: pending conversations every third of a lease, all every audit period."""
        compared = self._clock.monotonic()
        while not tasks.wait(self._settings.lease_seconds / 3):
            try:
                self.follow_pending()
                if self._clock.monotonic() - compared >= self._settings.audit_seconds:
                    self.compare_all()
                    compared = self._clock.monotonic()
            except StorageUnavailable as error:
                self._logger.warning("agreement_put_off", error=str(error))

    def follow_pending(self) -> None:
        """Have the registry follow each conversation that is pending in the database, or report it covered again."""
        for one in self._storage.run(lambda connection: ownership.pending_of(connection, self._identity.id)):
            self._registry.follow(one)

    def compare_all(self) -> None:
        """Unsubscribe conversations no longer followed, and report those covered in the database but on no channel.

        The latter count as uncovered for one audit period, and are followed again.
        """
        known = self._registry.followed()
        followed = self._storage.run(lambda connection: ownership.followed_by(connection, self._identity.id))
        stale = known - followed.keys()
        for one in stale:
            self._registry.unfollow(one)
        covered = self._registry.covered()
        lost = [one for one, state in followed.items() if state == SUBSCRIBED and one not in covered]
        if lost:
            self._uncovered(lost, self._clock.now() - round(self._settings.audit_seconds * 1000))
            for one in lost:
                self._registry.follow(one)
        if stale or lost:
            log.warning("disk_and_channels_differed", not_followed=len(stale), not_covered=len(lost))
