"""What this instance knows to be wrong by itself: with the receiver, the login, channels, calls, permissions, the disk.

Invariant: asking changes nothing and waits for nothing. A finding's ``since`` stays the same while its cause lasts.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from genesys_gateway.channels import ChannelRegistry
from genesys_gateway.delivery.circuit_breaker import CircuitBreaker
from genesys_gateway.delivery.receiver_trouble import Kind
from genesys_gateway.genesys import Tokens
from genesys_gateway.genesys.load import Load
from genesys_gateway.genesys.rate_limiter import Priority
from genesys_gateway.oversight.finding import Code, Finding
from genesys_gateway.oversight.probes import DiskProbe
from genesys_gateway.reconciliation.availability import PERMISSIONS, Permissions
from genesys_gateway.runtime.clock import Clock

#: How long these last before they are shown, in seconds: an ordinary moment of waiting is no trouble.
_LASTS = 1.5
#: A conversation that waits for a shorter time is not called uncovered anyway, in seconds: a little less than
#: :data:`~genesys_gateway.oversight.survey.LATE_MS`, because it is stored before it begins to wait here.
_FRESH = 3.0

Facts = Mapping[str, int | str]

_RECEIVER: Mapping[Kind, Code] = {
    Kind.DOWN: "receiver_down",
    Kind.MISDEPLOYED: "receiver_misdeployed",
    Kind.REFUSES: "receiver_refuses",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The parts that know something."""

    breaker: CircuitBreaker
    tokens: Tokens
    registry: ChannelRegistry
    load: Load
    permissions: Permissions
    disk: DiskProbe
    #: number of arrivals that wait in memory to be stored
    spooled: Callable[[], int]
    #: maximum number of channels, one of which is kept for handovers
    channel_budget: int


class OwnFindings:
    """Reads what the parts know.

    Conversations that wait for a place within the budget are in the fact ``waiting`` of ``channels_full``: they are
    not covered, but that is not called ``uncovered``. The fact ``lasting`` counts those that the database would show
    as uncovered: without those that just came, and with those that just got a place and are about to be subscribed.
    """

    def __init__(self, sources: Sources, clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        #: the monotonic second since which each code's cause lasts, and the same moment as epoch milliseconds
        self._dates: dict[Code, tuple[float, int]] = {}
        #: since when conversations wait for a place, in monotonic seconds
        self._full_since: float | None = None

    def now(self) -> list[Finding]:
        """Everything that is wrong now."""
        found = [
            *self._of_receiver(),
            *self._of_login(),
            *self._of_channels(),
            *self._of_calls(),
            *self._of_permissions(),
            *self._of_disk(),
        ]
        codes = {one.code for one in found}
        self._dates = {code: date for code, date in self._dates.items() if code in codes}
        return found

    def _of_receiver(self) -> Iterator[Finding]:
        for one in self._sources.breaker.troubles(self._clock.monotonic()):
            # If a record was delivered after that moment, by any instance, it is over.
            facts: Facts = {"error": one.error, "refused": one.records, "failed_at": self._epoch(one.failed_at)}
            yield self._finding(_RECEIVER[one.kind], one.since, facts)

    def _of_login(self) -> Iterator[Finding]:
        tokens = self._sources.tokens
        if (trouble := tokens.trouble) is not None:
            yield self._finding("no_token", trouble.since, {"error": trouble.error})
        if (stale := tokens.stale) is not None:
            yield self._finding("assertion_stale", stale.since, {"error": stale.error})

    def _of_channels(self) -> Iterator[Finding]:
        waiting, now = self._sources.registry.waiting_for_a_place(), self._clock.monotonic()
        if not waiting:
            self._full_since = None
            return
        if self._full_since is None:
            self._full_since = now
        if now - self._full_since >= _LASTS:
            lasting = self._sources.registry.waiting_for_a_place(_FRESH)
            facts = {"waiting": waiting, "lasting": lasting, "channels": self._sources.channel_budget - 1}
            yield self._finding("channels_full", self._full_since, facts)

    def _of_calls(self) -> Iterator[Finding]:
        load = self._sources.load
        since = load.exhausted_since()
        if since is not None and self._clock.monotonic() - since >= _LASTS:
            waiting = sum(map(load.waiting, Priority))
            yield self._finding("calls_exhausted", since, {"limit": load.limit(), "waiting": max(1, waiting)})

    def _of_permissions(self) -> Iterator[Finding]:
        forbidden = self._sources.permissions.forbidden()
        if forbidden:
            missing = " and ".join(PERMISSIONS[view] for view in forbidden)
            yield self._finding("reads_forbidden", min(forbidden.values()), {"error": f"HTTP 403 without {missing}"})

    def _of_disk(self) -> Iterator[Finding]:
        trouble = self._sources.disk.trouble
        if trouble is not None:
            facts: Facts = {"error": trouble.error, "spooled": self._sources.spooled()}
            yield self._finding("disk_refuses", trouble.since, facts)

    def _finding(self, code: Code, since: float, facts: Facts) -> Finding:
        known = self._dates.get(code)
        if known is None or known[0] != since:
            self._dates[code] = known = (since, self._epoch(since))
        return Finding(code=code, since=known[1], facts=facts)

    def _epoch(self, monotonic: float) -> int:
        return self._clock.now() - round((self._clock.monotonic() - monotonic) * 1000)
