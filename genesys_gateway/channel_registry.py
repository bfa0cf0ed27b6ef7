"""Which conversation's topic is on which channel: placement, room, budget, handover.

Law: a conversation has one home; no channel more than the budget allows is ever connected; nothing is refused here,
what finds no room waits for it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gevent.event import Event

from genesys_gateway import events
from genesys_gateway.channel import Channel, ChannelListener, Tools
from genesys_gateway.channel_state import State
from genesys_gateway.errors import Delayed, Refused
from genesys_gateway.genesys import ChannelGrant
from genesys_gateway.greenlets import Crew
from genesys_gateway.logs import get_logger
from genesys_gateway.metrics import Metrics

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryListener:
    """Whom the registry tells what; none of them may wait for long."""

    #: a notification, and the frame it was read from
    notified: Callable[[events.Notification, bytes], None]
    #: these conversations are covered by this channel from now on
    covered: Callable[[list[str], str], None]
    #: these conversations are not covered since that moment (epoch milliseconds)
    uncovered: Callable[[list[str], int], None]
    #: Genesys refuses this conversation's topic, for this reason
    rejected: Callable[[str, str], None]
    #: a channel was made, before it is connected
    created: Callable[[ChannelGrant], None]
    #: a channel is connected no longer and never will be again
    closed: Callable[[str], None]


class ChannelRegistry:
    """The one owner of all channels of this process.

    Args:
        tools: What every channel works with.
        listener: Whom to tell.
    """

    def __init__(self, tools: Tools, metrics: Metrics, listener: RegistryListener) -> None:
        self._tools = tools
        self._metrics = metrics
        self._tell = listener
        self._channels: dict[str, Channel] = {}
        self._home: dict[str, Channel] = {}
        self._waiting: dict[str, None] = {}  # conversations without a home, oldest first
        self._replacing: set[str] = set()  # channels whose topics are being moved: they take no new ones
        self._making = 0
        self._failures = 0
        self._poked = Event()
        self._crew = Crew("channels", tools.on_crash)
        self._jitter: dict[str, float] = {}

    def start(self, conversation_ids: Iterable[str]) -> None:
        """Follow these, and whatever is asked for later, until :meth:`stop`."""
        self._waiting.update(dict.fromkeys(conversation_ids))
        self._poked.set()
        self._crew.spawn("placement", self._place)
        self._crew.spawn("watch", self._watch)

    def stop(self, seconds: float) -> list[str]:
        """Close every socket within ``seconds``.

        Returns:
            The names of greenlets that were late.
        """
        self._poked.set()
        stopping = Crew("channel-stop", self._tools.on_crash)
        for channel in list(self._channels.values()):
            stopping.spawn(channel.id, channel.retire, seconds)
        late = self._crew.stop(seconds)
        stopping.stop(seconds)
        self._channels.clear()
        self._home.clear()
        return late

    def follow(self, conversation_id: str) -> None:
        """Bring this conversation's topic onto a channel; a repetition changes nothing. Does not wait."""
        if conversation_id not in self._home:
            self._waiting[conversation_id] = None
            self._poked.set()

    def unfollow(self, conversation_id: str) -> None:
        """Take this conversation's topic off its channel; a repetition changes nothing. Does not wait."""
        self._waiting.pop(conversation_id, None)
        self._home.pop(conversation_id, None)
        for channel in self._channels.values():  # during a handover two of them hold it
            channel.writer.drop(conversation_id)

    def channels(self) -> tuple[Channel, ...]:
        """All that are known now, oldest first."""
        return tuple(self._channels.values())

    def waiting(self) -> int:
        """How many conversations have no channel yet."""
        return len(self._waiting)

    def connected(self) -> int:
        """How many channels count against the budget now."""
        return sum(channel.connected for channel in self._channels.values()) + self._making

    def _place(self) -> None:
        while not self._crew.stopping:
            self._poked.wait()
            self._poked.clear()
            while self._waiting and not self._crew.stopping:
                channel = self._with_room() or self._make_for_demand()
                if channel is None:
                    break
                self._settle_in(channel)

    def _settle_in(self, channel: Channel) -> None:
        ids = list(self._waiting)[: channel.room]
        for one in ids:
            del self._waiting[one]
            self._home[one] = channel
        channel.writer.want(ids)

    def _with_room(self) -> Channel | None:
        """The fullest one that has room, so that the others drain."""
        usable = [
            channel
            for channel in self._channels.values()
            if channel.room and channel.id not in self._replacing and channel.state not in (State.GONE, State.RETIRED)
        ]
        return max(usable, key=lambda channel: channel.writer.size, default=None)

    def _make_for_demand(self) -> Channel | None:
        """A new channel, unless only the one that handovers need is left of the budget."""
        if self.connected() >= self._tools.settings.channel_budget - 1:
            return None
        return self._make("demand")

    def _make(self, reason: str) -> Channel | None:
        """Create and start a channel; after a failure wait with growing jitter, then give it to the next round."""
        self._making += 1
        try:
            grant = self._tools.genesys.create_channel()
            self._tell.created(grant)
        except (Delayed, Refused) as error:
            self._failures += 1
            self._wait_after(error)
            return None
        finally:
            self._making -= 1
        self._failures = 0
        self._metrics.channel_created.labels(reason=reason).inc()
        channel = Channel(grant, self._tools, self._listener())
        self._channels[channel.id] = channel
        self._jitter[channel.id] = self._tools.random.uniform(0.9, 1.1)
        if self._crew.stopping:
            return None
        channel.start()
        return channel

    def _wait_after(self, error: Delayed | Refused) -> None:
        settings = self._tools.settings
        longest = min(settings.retry_max_seconds, settings.retry_base_seconds * 2.0 ** min(self._failures, 30))
        asked = error.retry_after if isinstance(error, Delayed) else None
        seconds = asked if asked is not None else self._tools.random.uniform(longest / 2, longest)
        log.warning("channel_not_made", error=str(error), wait_seconds=round(seconds, 3), waiting=len(self._waiting))
        self._crew.wait(seconds)
        self._poked.set()

    def _listener(self) -> ChannelListener:
        return ChannelListener(
            notified=lambda _, notification, frame: self._tell.notified(notification, frame),
            covered=self._covered,
            uncovered=self._uncovered,
            rejected=lambda _, one, reason: self._tell.rejected(one, reason),
            displaced=self._displaced,
            closing=lambda channel: self._hand_over_soon(channel, "notice"),
            gone=self._gone,
        )

    def _covered(self, channel: Channel, ids: list[str]) -> None:
        self._tell.covered([one for one in ids if one in self._home], channel.id)

    def _uncovered(self, channel: Channel, ids: list[str], since: int) -> None:
        """Only a conversation's home decides: a successor may cover what its predecessor loses."""
        lost = [one for one in ids if self._home.get(one) is channel]
        if lost:
            self._tell.uncovered(lost, since)

    def _displaced(self, channel: Channel, ids: list[str]) -> None:
        for one in ids:
            if self._home.get(one) is channel:
                del self._home[one]
                self._waiting[one] = None
        self._poked.set()

    def _gone(self, channel: Channel, reason: str) -> None:
        log.warning("channel_replaced", channel=channel.id, reason=reason, topics=channel.writer.size)
        self._displaced(channel, list(channel.writer.desired))
        self._metrics.channel_handovers.labels(reason="gone").inc()
        self._crew.spawn(f"retire-{channel.id[-8:]}", self._retire, channel)

    def _retire(self, channel: Channel) -> None:
        channel.retire()
        self._channels.pop(channel.id, None)
        self._replacing.discard(channel.id)
        self._jitter.pop(channel.id, None)
        self._tell.closed(channel.id)
        self._poked.set()

    def _watch(self) -> None:
        """Close idle channels, hand over those near their end, compare lists now and then."""
        settings = self._tools.settings
        audited = self._tools.clock.monotonic()
        while not self._crew.wait(min(settings.channel_idle_seconds, settings.audit_seconds, 8.0) / 8):
            now = self._tools.clock.monotonic()
            for channel in list(self._channels.values()):
                if channel.id in self._replacing or channel.state in (State.GONE, State.RETIRED):
                    continue
                if channel.idle_seconds() > settings.channel_idle_seconds:
                    self._close_idle(channel)
                elif self._tools.clock.now() >= self._ends_at(channel):
                    self._hand_over_soon(channel, "expiry")
                elif now - audited >= settings.audit_seconds:
                    channel.writer.audit()
            if now - audited >= settings.audit_seconds:
                audited = now

    def _ends_at(self, channel: Channel) -> int:
        """When its handover shall begin (epoch milliseconds): before its own end and before its token's."""
        grant = channel.grant
        end = min(grant.expires_at, grant.token.expires_at)
        lifetime = max(end - grant.token.issued_at, 0)
        ahead = min(self._tools.settings.channel_handover_seconds * 1000, lifetime / 4) * self._jitter[channel.id]
        return round(end - ahead)

    def _close_idle(self, channel: Channel) -> None:
        log.info("channel_idle", channel=channel.id)
        self._replacing.add(channel.id)
        self._crew.spawn(f"retire-{channel.id[-8:]}", self._retire, channel)

    def _hand_over_soon(self, channel: Channel, reason: str) -> None:
        if channel.id not in self._replacing:
            self._replacing.add(channel.id)
            self._crew.spawn(f"handover-{channel.id[-8:]}", self._hand_over, channel, reason)

    def _hand_over(self, old: Channel, reason: str) -> None:
        """Make before break: a successor is connected, subscribed and verified before the topics move to it."""
        successor = None
        if self.connected() < self._tools.settings.channel_budget:
            successor = self._make("handover")
        if successor is None or not self._subscribed(successor, old):
            log.warning("handover_failed", channel=old.id, reason=reason)
            if successor is not None:
                self._retire(successor)
            self._replacing.discard(old.id)  # it reconnects on its own channel when its socket closes
            return
        moved = [one for one in successor.writer.desired if self._home.get(one) is old]
        self._home.update(dict.fromkeys(moved, successor))
        self._tell.covered(moved, successor.id)
        self._metrics.channel_handovers.labels(reason=reason).inc()
        log.info("handed_over", channel=old.id, successor=successor.id, topics=len(moved), reason=reason)
        self._read_on(old)
        self._retire(old)

    def _subscribed(self, successor: Channel, old: Channel) -> bool:
        """Whether the successor's own list, read back, came to hold all that the old one carries, in time."""
        deadline = self._tools.clock.monotonic() + self._tools.settings.heartbeat_seconds
        verified = False
        while not self._crew.stopping and self._tools.clock.monotonic() < deadline:
            successor.writer.want(one for one in old.writer.desired if self._home.get(one) is old)
            if successor.state in (State.GONE, State.RETIRED):
                return False
            if successor.writer.settled:
                if verified:
                    return True
                successor.writer.audit()
                verified = True
            self._crew.wait(self._tools.settings.reply_seconds / 100)
        return False

    def _read_on(self, old: Channel) -> None:
        """The old socket goes on reading for the overlap: what was under way may still arrive there."""
        deadline = self._tools.clock.monotonic() + self._tools.settings.channel_overlap_seconds
        while old.listening and self._tools.clock.monotonic() < deadline:
            if self._crew.wait(self._tools.settings.reply_seconds / 10):
                return
