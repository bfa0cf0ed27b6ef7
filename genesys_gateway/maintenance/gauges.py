"""Numbers that are read off the state now and then: the balance, the backlog, the channels, the event loop's lag.

Law: reading them changes nothing, and a disk that refuses leaves the last ones standing.
"""

from collections.abc import Callable

from genesys_gateway.channels import ChannelRegistry
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage
from genesys_gateway.storage.statements import conversations, outbox

log = get_logger(__name__)

#: How often in each period the event loop is asked whether it is late.
_PROBES = 50
#: How many times as long as it took the counting of all rows rests.
_REST = 100


class Gauges:
    """Sets the gauges, once in a quarter of the lease.

    Args:
        look_ahead: Called as often; sets what only its owner can see.
    """

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        runtime: Runtime,
        registry: ChannelRegistry,
        look_ahead: Callable[[], None],
    ) -> None:
        self._storage = storage
        self._clock = runtime.clock
        self._metrics = runtime.metrics
        self._registry = registry
        self._look_ahead = look_ahead
        self._period = settings.lease_seconds / 4
        self._balance_due = -1e9  # monotonic seconds
        runtime.metrics.channel_budget.set(settings.channel_budget)

    def run(self, tasks: TaskGroup) -> None:
        """The loop, until the crew stops."""
        while not tasks.stopping:
            self._look_ahead()
            try:
                self._set()
            except StorageUnavailable as error:
                log.warning("gauges_not_read", error=str(error))
            self._metrics.hub_lag_seconds.set(self._lag(tasks))

    def _lag(self, tasks: TaskGroup) -> float:
        """The longest delay of a wake-up in one period, in seconds."""
        worst = 0.0
        step = self._period / _PROBES
        for _ in range(_PROBES):
            begun = self._clock.monotonic()
            if tasks.wait(step):
                break
            worst = max(worst, self._clock.monotonic() - begun - step)
        return worst

    def _set(self) -> None:
        if self._clock.monotonic() >= self._balance_due:
            self._set_balance()
        self._set_others()

    def _set_balance(self) -> None:
        """It counts all rows there ever were: the more there are, the more rarely, so that it takes 1 % of the disk."""
        begun = self._clock.monotonic()
        balance = self._storage.run(conversations.balance)
        for state in (conversations.PENDING, conversations.SUBSCRIBED, conversations.CLOSED):
            self._metrics.conversations.labels(state=state).set(balance.states.get(state, 0))
        self._metrics.conversations_unaccounted.set(balance.unaccounted)
        self._metrics.conversations_uncovered.set(balance.states.get(conversations.PENDING, 0))
        ended = self._clock.monotonic()
        self._balance_due = ended + _REST * (ended - begun)

    def _set_others(self) -> None:
        self._metrics.channels_open.set(sum(channel.listening for channel in self._registry.channels()))
        now = self._clock.now()
        backlog = self._storage.run(lambda connection: self._backlog(connection, now))
        self._metrics.delivery_backlog.set(backlog.pending)
        self._metrics.records_dead.set(backlog.dead)
        self._metrics.delivery_oldest_pending_seconds.set(backlog.oldest_ms / 1000)

    def _backlog(self, connection: Connection, now: int) -> outbox.Backlog:
        return outbox.backlog(connection, now)
