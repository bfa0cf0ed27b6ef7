"""A channel registry on the fake Genesys, for tests of placement and handovers."""

from collections.abc import Callable
from typing import Any

from genesys_gateway.channels import ChannelRegistry, RegistryListener
from genesys_gateway.channels.budget import ChannelBudget
from genesys_gateway.channels.channel import Channel
from genesys_gateway.genesys.load import Load
from genesys_gateway.genesys.notifications import Notification, acw_topic
from genesys_gateway.genesys.rate_limiter import Priority, RateLimiter
from genesys_gateway.runtime.metrics import Metrics
from tests.doubles.channels import (
    CLOSING_NOTICE,
    FakeChannel,
    FakeGenesys,
    FakeSocket,
    acw_notification,
    context,
    conversation,
    eventually,
    ids,
    quick,
)
from tests.doubles.runtime import FakeClock

#: Long enough that no socket dies of silence, and no channel of idleness, while a test waits.
_CALM: dict[str, Any] = {"heartbeat_seconds": 4.0, "channel_idle_seconds": 0.2}


class RegistryOnFakeGenesys:
    """A registry, and the coverage that it reported, as the database would hold it.

    Args:
        budget: Without it, one for this process alone.
        changes: Settings.
    """

    def __init__(self, clock: FakeClock | None = None, budget: ChannelBudget | None = None, **changes: Any) -> None:
        self.clock = clock or FakeClock()
        self.server = FakeGenesys(self.clock)
        self.server.pongs = True  # otherwise a socket could die of silence while a test waits
        self.crashes: list[str] = []
        self.metrics = Metrics()
        #: conversation -> id of the channel that covers it
        self.covered: dict[str, str] = {}
        #: every conversation reported as uncovered, as often as it was
        self.uncovered: list[str] = []
        self.rejected: list[tuple[str, str]] = []
        self.notified: list[Notification] = []
        self.created: list[str] = []
        self.closed: list[str] = []
        settings = quick(**{**_CALM, **changes})
        self.limiter = RateLimiter(settings.api_rate_per_minute, self.clock)
        self.load = Load(self.limiter, self.clock)
        self.registry = ChannelRegistry(
            context(self.server, self.clock, settings, self.crashes, self.metrics, self.load),
            RegistryListener(
                notified=lambda notification, frame: self.notified.append(notification),
                covered=self._covered,
                uncovered=self._uncovered,
                rejected=lambda one, reason: self.rejected.append((one, reason)),
                created=lambda grant: self.created.append(grant.id),
                closed=self.closed.append,
            ),
            budget,
        )

    def start(self, count: int = 0, step: float = 0.001) -> None:
        """Follow ``count`` conversations, and wait until all are covered."""
        self.registry.start(ids(count))
        self.until(lambda: len(self.covered) == count, step)

    def make_busy(self) -> None:
        """Make calls scarce for the next minute; the fake Genesys itself uses no call of the limiter."""
        for _ in range(self.limiter.limit // 2 + 1):
            with self.limiter.take(Priority.NAMES):
                pass

    def unfollow(self, number: int) -> None:
        """Unfollow a conversation; like the database, count it as covered no longer."""
        self.registry.unfollow(conversation(number))
        self.covered.pop(conversation(number), None)

    def until(self, condition: Callable[[], object], step: float = 0.001) -> None:
        """Let greenlets run and time pass until the condition holds."""
        eventually(condition, self.clock, step=step)

    def channel(self, at: int = 0) -> Channel:
        """One of our channels; the first is the oldest."""
        return self.registry.channels()[at]

    def theirs(self, channel: Channel | None = None) -> FakeChannel:
        """A channel (by default the oldest) as the server sees it."""
        return self.server.channels[(channel or self.channel()).id]

    def socket(self, channel: Channel | None = None) -> FakeSocket:
        """The socket of a channel, by default of the oldest."""
        socket = self.theirs(channel).socket
        assert socket is not None
        return socket

    def announce_close(self, channel: Channel | None = None) -> Channel:
        """Let the server announce that it will close a channel's socket, by default the oldest; returns the channel."""
        old = channel or self.channel()
        self.socket(old).push(CLOSING_NOTICE)
        return old

    def remove(self, number: int) -> None:
        """Let the server take a conversation's topic off the oldest channel's list without a notice."""
        del self.theirs().topics[acw_topic(conversation(number))]

    def value(self, name: str, **labels: str) -> float:
        """The value of a metric; 0 if it has none."""
        return self.metrics.registry.get_sample_value(f"genesys_gateway_{name}", labels) or 0.0

    def check(self) -> None:
        """Assert that coverage is real and that the channels hold exactly the followed conversations with a home."""
        for one, channel_id in self.covered.items():
            theirs = self.server.channels[channel_id]
            assert theirs.socket is not None, f"{one} is not covered"
            assert one in theirs.conversations
        on_channels = [one for channel in self.registry.channels() for one in channel.writer.desired]
        assert sorted(on_channels) == sorted(self.registry.followed() - set(self.registry._waiting))

    def end(self) -> None:
        """Stop everything; fails when a greenlet crashed or was late, or a socket is left open."""
        assert self.registry.stop(1.0) == []
        assert self.server.connected == 0
        assert self.crashes == []

    def _covered(self, some: list[str], channel_id: str) -> None:
        self.covered.update(dict.fromkeys(some, channel_id))

    def _uncovered(self, some: list[str], since: int) -> None:
        self.uncovered += some
        for one in some:
            self.covered.pop(one, None)


class EventStream:
    """A server that sends events all the time, and counts those that reached no socket."""

    def __init__(self, channels: RegistryOnFakeGenesys, count: int) -> None:
        self._server = channels.server
        self._ids = ids(count)
        self.sent = 0
        self.missed = 0

    def turn(self) -> bool:
        """Send one event for each conversation; always False, to be used in a condition."""
        for one in self._ids:
            self.sent += 1
            self.missed += not self._server.deliver(one, acw_notification(one))
        return False
