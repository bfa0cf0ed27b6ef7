"""Sets the metrics that are read from the state at intervals: balance, backlog, channels, certificate.

Invariant: reading changes nothing. While the disk refuses, the last values stay.
"""

from collections.abc import Callable

from genesys_gateway.channels import ChannelRegistry
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger, lines_dropped
from genesys_gateway.runtime.sampled_log import SampledLog, flush_ended
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.settings.signing_key import certificate_in
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import accounting, conversations, outbox

log = get_logger(__name__)

#: Seconds between two looks at the signing certificate: as often as files of secrets are read.
_CERTIFICATE_SECONDS = 60.0


class Gauges:
    """Sets the gauges, once in a quarter of the lease.

    Args:
        check_renewal: Called once a period; sets the gauge that shows whether the next token can be obtained.
    """

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        runtime: Runtime,
        registry: ChannelRegistry,
        check_renewal: Callable[[], None],
    ) -> None:
        self._storage = storage
        self._clock = runtime.clock
        self._metrics = runtime.metrics
        self._registry = registry
        self._check_renewal = check_renewal
        self._period = settings.lease_seconds / 4
        self._lines_dropped = 0
        self._certificate = settings.genesys_saml_certificate_file
        self._read_certificate_at = 0.0  # monotonic seconds
        self._logger = SampledLog(log, runtime.clock)
        runtime.metrics.channel_budget.set(settings.channel_budget)

    def run(self, tasks: TaskGroup) -> None:
        """Set the gauges again and again until the task group stops."""
        while not tasks.stopping:
            self._check_renewal()
            try:
                self._set()
            except StorageUnavailable as error:
                self._logger.warning("gauges_not_read", error=str(error))
            self._count_dropped_lines()
            self._show_certificate()
            flush_ended()
            tasks.wait(self._period)

    def _count_dropped_lines(self) -> None:
        dropped = lines_dropped()
        self._metrics.log_lines_dropped.inc(dropped - self._lines_dropped)
        self._lines_dropped = dropped

    def _show_certificate(self) -> None:
        now = self._clock.monotonic()
        if self._certificate is None or now < self._read_certificate_at:
            return
        self._read_certificate_at = now + _CERTIFICATE_SECONDS
        try:
            ends_at = certificate_in(self._certificate).not_valid_after_utc.timestamp()
        except ValueError as error:
            log.warning("certificate_not_read", error=str(error))
            ends_at = 0.0
        self._metrics.signing_certificate_expiry_timestamp_seconds.set(ends_at)

    def _set(self) -> None:
        now = self._clock.now()
        balance, backlog = self._storage.run(lambda c: (accounting.balance(c), outbox.backlog(c, now)))
        for state in (conversations.PENDING, conversations.SUBSCRIBED, conversations.CLOSED):
            self._metrics.conversations.labels(state=state).set(balance.states.get(state, 0))
        self._metrics.conversations_unaccounted.set(balance.unaccounted)
        self._metrics.conversations_uncovered.set(balance.uncovered)
        self._metrics.conversations_released.set(balance.released)
        self._metrics.channels_open.set(sum(channel.listening for channel in self._registry.channels()))
        self._metrics.delivery_backlog.set(backlog.pending)
        self._metrics.records_dead.set(backlog.dead)
        self._metrics.delivery_oldest_pending_seconds.set(backlog.oldest_ms / 1000)
