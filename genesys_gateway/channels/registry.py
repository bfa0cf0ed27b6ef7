"""Which conversation's topic is on which channel: placement, room, budget, handover.

Law: a conversation has one home; no channel more than the budget allows is ever connected; nothing is refused here,
what finds no room waits for it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gevent.event import Event

from genesys_gateway.channels.channel import Channel, ChannelContext, ChannelListener
from genesys_gateway.channels.handover import Handover
from genesys_gateway.domain import after_call_work
from genesys_gateway.genesys import ChannelGrant
from genesys_gateway.runtime.backoff import ceiling
from genesys_gateway.runtime.errors import PermanentFailure, StorageUnavailable, TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryListener:
    """Whom the registry tells what; none of them may wait for long."""

    #: a notification, and the frame it was read from
    notified: Callable[[after_call_work.Acw | after_call_work.Unreadable, bytes], None]
    #: these conversations are covered by this channel from now on
    covered: Callable[[list[str], str], None]
    #: these conversations are not covered since that moment (epoch milliseconds)
    uncovered: Callable[[list[str], int], None]
    #: Genesys refuses this conversation's topic, for this reason
    rejected: Callable[[str, str], None]
    #: a channel was made, before it is connected; raises StorageUnavailable when it can't be remembered
    created: Callable[[ChannelGrant], None]
    #: a channel is connected no longer and never will be again
    closed: Callable[[str], None]


class ChannelRegistry:
    """The one owner of all channels of this process.

    Args:
        tools: What every channel works with.
        listener: Whom to tell.
    """

    def __init__(self, context: ChannelContext, listener: RegistryListener) -> None:
        self._context = context
        self._settings = context.settings
        self._clock = context.runtime.clock
        self._random = context.runtime.random
        self._metrics = context.runtime.metrics
        self._tell = listener
        self._channels: dict[str, Channel] = {}
        self._home: dict[str, Channel] = {}
        self._waiting: dict[str, None] = {}  # conversations without a home, oldest first
        self._handovers: dict[str, Handover] = {}  # by the old channel's id
        self._making = 0
        self._failures = 0
        self._not_before = -1e9  # monotonic seconds: no channel is made earlier
        self._poked = Event()
        self._tasks = TaskGroup("channels", context.runtime.on_crash)

    def start(self, conversation_ids: Iterable[str]) -> None:
        """Follow these, and whatever is asked for later, until :meth:`stop`."""
        self._waiting.update(dict.fromkeys(conversation_ids))
        self._poked.set()
        self._tasks.spawn("placement", self._place)
        self._tasks.spawn("watch", self._watch)

    def stop(self, seconds: float) -> list[str]:
        """Close every socket within ``seconds``.

        Returns:
            The names of greenlets that were late.
        """
        self._poked.set()
        stopping = TaskGroup("channel-stop", self._context.runtime.on_crash)
        for channel in list(self._channels.values()):
            stopping.spawn(channel.id, channel.retire, seconds)
        late = self._tasks.stop(seconds)
        late += stopping.stop(seconds)
        self._channels.clear()
        self._home.clear()
        return late

    def follow(self, conversation_id: str) -> None:
        """Bring this conversation's topic onto a channel, and tell when it is covered. Does not wait.

        A repetition tells again what is covered already, and changes nothing else.
        """
        home = self._home.get(conversation_id)
        if home is None:
            self._waiting[conversation_id] = None
            self._poked.set()
        else:
            self._tell_covered(home, [conversation_id])

    def unfollow(self, conversation_id: str) -> None:
        """Take this conversation's topic off its channel; a repetition changes nothing. Does not wait."""
        self._waiting.pop(conversation_id, None)
        self._home.pop(conversation_id, None)
        for channel in self._channels.values():  # during a handover two of them hold it
            channel.writer.drop(conversation_id)

    def followed(self) -> set[str]:
        """Every conversation that is on a channel or waits for one."""
        return self._home.keys() | self._waiting.keys()

    def covered(self) -> set[str]:
        """Every conversation whose notifications arrive on its channel now."""
        return {one for channel in self.channels() for one in channel.writer.covers(self.carried_by(channel))}

    def channels(self) -> tuple[Channel, ...]:
        """All that are known now, oldest first."""
        return tuple(self._channels.values())

    def waiting(self) -> int:
        """How many conversations have no channel yet."""
        return len(self._waiting)

    def connected(self) -> int:
        """How many channels count against the budget now."""
        return sum(channel.connected for channel in self._channels.values()) + self._making

    # Placement

    def _place(self) -> None:
        while not self._tasks.stopping:
            self._poked.wait()
            self._poked.clear()
            while self._waiting and not self._tasks.stopping:
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
        self._tell_covered(channel, ids)

    def _with_room(self) -> Channel | None:
        """The fullest one that has room, so that the others drain."""
        usable = [c for c in self._channels.values() if c.usable and c.room and c.id not in self._handovers]
        return max(usable, key=lambda channel: channel.writer.size, default=None)

    def _make_for_demand(self) -> Channel | None:
        """A new channel, unless only the one that handovers need is left of the budget."""
        return self._make("demand", self._settings.channel_budget - 1)

    def _make(self, reason: str, budget: int) -> Channel | None:
        """Create and start a channel; None when that is not possible now."""
        if self.connected() >= budget or self._clock.monotonic() < self._not_before:
            return None
        self._making += 1
        try:
            grant = self._context.genesys.create_channel()
            reach("channel_made")
            self._tell.created(grant)
            reach("channel_noted")
        except (TransientFailure, PermanentFailure, StorageUnavailable) as error:
            self._hold(getattr(error, "retry_after", None))
            log.warning("channel_not_made", error=str(error), waiting=len(self._waiting))
            return None
        finally:
            self._making -= 1
        self._metrics.channel_created.labels(reason=reason).inc()
        channel = Channel(grant, self._context, self._listener())
        self._channels[channel.id] = channel
        if self._tasks.stopping:
            return None
        channel.start()
        return channel

    def _hold(self, asked: float | None) -> None:
        """Make no channel for a while: longer after each trouble in a row, but troubles at one time are one."""
        settings, now = self._settings, self._clock.monotonic()
        seconds = asked or 0.0
        if now >= self._not_before:
            self._failures += 1
            # Every moment of it is a gap: when the streaming side is back, the next try must not be far.
            limit = min(settings.retry_max_seconds, settings.heartbeat_seconds / 4)
            longest = ceiling(settings.retry_base_seconds, limit, self._failures)
            seconds = asked or self._random.uniform(longest / 2, longest)
        self._not_before = max(self._not_before, now + seconds)

    # What channels tell

    def _listener(self) -> ChannelListener:
        return ChannelListener(
            notified=lambda _, notification, frame: self._tell.notified(notification, frame),
            covered=self._covered,
            uncovered=self._uncovered,
            rejected=lambda _, one, reason: self._tell.rejected(one, reason),
            drifted=self._metrics.subscription_drift.inc,
            displaced=self._displaced,
            closing=lambda channel: self._hand_over_soon(channel, "notice"),
            gone=self._gone,
        )

    def _covered(self, channel: Channel, ids: list[str]) -> None:
        """Only a conversation's home decides: a successor tells when they have moved."""
        self._tell_covered(channel, [one for one in ids if self._home.get(one) is channel])

    def _tell_covered(self, channel: Channel, ids: Iterable[str]) -> None:
        covered = channel.writer.covers(ids)
        if covered:
            self._tell.covered(covered, channel.id)

    def _uncovered(self, channel: Channel, ids: list[str], since: int) -> None:
        """Only a conversation's home decides: a successor may cover already what its predecessor loses."""
        lost = [one for one in ids if self._home.get(one) is channel]
        handover = self._handovers.get(channel.id)
        if handover is not None and handover.successor is not None:
            kept = handover.successor.writer.covers(lost)
            self._home.update(dict.fromkeys(kept, handover.successor))
            self._tell_covered(handover.successor, kept)
            lost = [one for one in lost if self._home[one] is channel]
        if lost:
            self._tell.uncovered(lost, since)

    def _displaced(self, channel: Channel, ids: Iterable[str]) -> None:
        for one in ids:
            if self._home.get(one) is channel:
                del self._home[one]
                self._waiting[one] = None
        self._poked.set()

    def _gone(self, channel: Channel, reason: str) -> None:
        log.warning("channel_replaced", channel=channel.id, reason=reason, topics=channel.writer.size)
        self._metrics.channel_handovers.labels(reason="gone").inc()
        if channel.age_seconds > 1.5 * self._settings.heartbeat_seconds:
            self._failures = 0
        else:
            self._hold(None)  # channels that die young must not be replaced as fast as they die
        handover = self._handovers.get(channel.id)
        if handover is not None and handover.successor is not None and handover.successor.usable:
            self.move(channel, handover.successor)
        self._tasks.spawn(f"retire-{channel.id[-8:]}", self._retire, channel)

    def _retire(self, channel: Channel) -> None:
        """Close it for good. Whoever is still at home there finds another channel."""
        self._displaced(channel, [one for one, home in self._home.items() if home is channel])
        channel.retire()
        self._channels.pop(channel.id, None)
        self._tell.closed(channel.id)
        self._poked.set()

    # The watch and its handovers

    def _watch(self) -> None:
        """Close idle channels, hand over those near their end, compare lists now and then."""
        settings = self._settings
        audited = self._clock.monotonic()
        while not self._tasks.wait(min(settings.channel_idle_seconds, settings.audit_seconds, 8.0) / 8):
            now = self._clock.monotonic()
            self._poked.set()  # room may have come about where topics were removed
            if now > self._not_before + 1.5 * settings.heartbeat_seconds:
                self._failures = 0
            due = now - audited >= settings.audit_seconds
            for channel in self.channels():
                if channel.usable and channel.id not in self._handovers:
                    self._look_after(channel, due)
            if due:
                audited = now

    def _look_after(self, channel: Channel, audit: bool) -> None:
        if channel.idle_seconds() > self._settings.channel_idle_seconds:
            self._hand_over_soon(channel, "idle")
        elif channel.hand_over_due:
            self._hand_over_soon(channel, "expiry")
        elif audit:
            channel.writer.audit()

    def _hand_over_soon(self, channel: Channel, reason: str) -> None:
        if channel.id not in self._handovers:
            count = self._metrics.channel_handovers.labels(reason=reason).inc
            handover = Handover(channel, reason, self, self._context, self._tasks, count)
            self._handovers[channel.id] = handover
            self._tasks.spawn(f"handover-{channel.id[-8:]}", self._hand_over, handover)

    def _hand_over(self, handover: Handover) -> None:
        old = handover.old
        try:
            if handover.run():
                self._retire(old)
                return
            log.warning("handover_failed", channel=old.id, reason=handover.reason)
            old.put_off_handover()
            if handover.successor is not None:
                if old.usable:  # the server may have moved some by itself
                    self.move(handover.successor, old)
                self._retire(handover.successor)
        finally:
            del self._handovers[old.id]
            self._poked.set()

    def make_successor(self) -> Channel | None:
        """For a handover: a new channel, if the whole budget allows one now."""
        return self._make("handover", self._settings.channel_budget)

    def carried_by(self, channel: Channel) -> Sequence[str]:
        """For a handover: the conversations whose home that channel is."""
        return [one for one in channel.writer.desired if self._home.get(one) is channel]

    def move(self, old: Channel, successor: Channel) -> int:
        """For a handover: make the successor the home of all that the old one carries; how many there were."""
        moving = self.carried_by(old)
        covered_before = old.writer.covers(moving)
        self._home.update(dict.fromkeys(moving, successor))
        successor.writer.want(moving)
        self._tell_covered(successor, moving)
        left_out = set(covered_before).difference(successor.writer.covers(moving))
        if left_out:
            self._tell.uncovered(sorted(left_out), self._clock.now())
        return len(moving)

    def others_wait(self) -> bool:
        """For a handover: whether another one, or conversations without a home, wait for a place in the budget."""
        left_over = self._settings.channel_budget - 1 - (len(self._channels) - len(self._handovers))
        homeless = self._waiting and left_over > 0 and self._with_room() is None
        return bool(homeless) or any(handover.waits for handover in self._handovers.values())
