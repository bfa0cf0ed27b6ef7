"""Creates channels within the budget, and pauses after failures.

Invariant: a channel is created only in a place of the budget that is granted before the call to Genesys and still held
when the call is made.
"""

from collections.abc import Callable

from genesys_gateway.channels.budget import ChannelBudget
from genesys_gateway.channels.channel import ChannelContext
from genesys_gateway.genesys import ChannelGrant
from genesys_gateway.runtime.backoff import ceiling
from genesys_gateway.runtime.errors import PermanentFailure, TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog

log = get_logger(__name__)

#: Number of failures in a row after which places that wait for a channel are given back.
_PATIENT_FAILURES = 3


class ChannelCreation:
    """Makes the channels of the registry.

    Args:
        budget: Grants the places.
        connected: Returns the number of channels that count against the budget, without those being made here.
        wanted: Returns how many more channels are wanted now.
        created: Called when Genesys has created a channel.
    """

    def __init__(
        self,
        context: ChannelContext,
        budget: ChannelBudget,
        *,
        connected: Callable[[], int],
        wanted: Callable[[], int],
        created: Callable[[ChannelGrant], None],
    ) -> None:
        self._genesys = context.genesys
        self._settings = context.settings
        self._clock = context.runtime.clock
        self._logger = SampledLog(log, self._clock)
        self._random = context.runtime.random
        self._metrics = context.runtime.metrics
        self._budget = budget
        self._connected = connected
        self._wanted = wanted
        self._created = created
        self._being_made = 0  # number of channels
        self._resets = 0
        self._failures = 0  # in a row
        self._not_before = -1e9  # monotonic seconds: no channel is made earlier

    def settle(self) -> None:
        """Give back places that are not needed now, and find out how many are free. May wait for the database."""
        self._budget.settle(self.used, self._wanted_soon)

    def run(self, tasks: TaskGroup) -> None:
        """Give back places that are not needed, until the group stops."""
        self._budget.run(tasks, self.used, self._wanted_soon)

    def used(self) -> int:
        """Number of channels that count against the budget now."""
        return self._connected() + self._being_made

    def make(self, reason: str) -> ChannelGrant | None:
        """Have Genesys create a channel; None if that is not possible now. Demand leaves the budget's last place.

        Args:
            reason: ``demand`` or ``handover``.
        """
        if self._clock.monotonic() < self._not_before:
            return None
        resets = self._resets
        self._being_made += 1
        try:
            if not self._budget.take(self.used, handover=reason == "handover"):
                return None
            grant = self._genesys.create_channel(lambda: self._resets == resets and self._budget.certain)
        except (TransientFailure, PermanentFailure) as error:
            self.pause(getattr(error, "retry_after", None))
            self._logger.warning("channel_not_made", error=str(error), wanted=self._wanted())
            return None
        finally:
            self._being_made -= 1
        reach("channel_made")
        if self._resets != resets:
            return None  # its place is lost; Genesys removes it first, because it has no socket
        self._created(grant)
        self._metrics.channel_created.labels(reason=reason).inc()
        return grant

    def pause(self, retry_after: float | None = None) -> None:
        """Make no channel for a while: longer after each failure in a row. Failures during a pause count as one."""
        settings, now = self._settings, self._clock.monotonic()
        seconds = retry_after or 0.0
        if now >= self._not_before:
            self._failures += 1
            # The pause is a gap in coverage: it must end soon after Genesys can be reached again.
            limit = min(settings.retry_max_seconds, settings.heartbeat_seconds / 4)
            longest = ceiling(settings.retry_base_seconds, limit, self._failures)
            seconds = retry_after or self._random.uniform(longest / 2, longest)
        self._not_before = max(self._not_before, now + seconds)

    def ended(self, age_seconds: float) -> None:
        """Note that a channel was lost. Channels that soon end must not be replaced as fast as they end."""
        if age_seconds > 1.5 * self._settings.heartbeat_seconds:
            self._failures = 0
        else:
            self.pause()

    def forgive(self) -> None:
        """Forget earlier failures if the latest pause is long over."""
        if self._clock.monotonic() > self._not_before + 1.5 * self._settings.heartbeat_seconds:
            self._failures = 0

    def reset(self) -> None:
        """Forget the places and what is being made: this instance has lost its lease, and has another id now."""
        self._resets += 1
        self._budget.reset()

    def _wanted_soon(self) -> int:
        return self._wanted() if self._failures <= _PATIENT_FAILURES else 0
