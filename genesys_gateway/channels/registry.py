"""The singleton that decides which conversation's topic is on which channel: placement, budget, handover.

Invariant: a conversation has one home channel, or waits for one; none is refused. There are never more connected
channels than the budget allows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gevent.event import Event

from genesys_gateway.channels.channel import Channel, ChannelContext, ChannelListener
from genesys_gateway.channels.handover import Handover
from genesys_gateway.channels.placement import Placement, Waiting
from genesys_gateway.channels.system_notices import SystemNotices
from genesys_gateway.domain.after_call_work import Acw, Unreadable
from genesys_gateway.genesys import ChannelGrant
from genesys_gateway.runtime.backoff import ceiling
from genesys_gateway.runtime.errors import PermanentFailure, TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger

#: Share of all places; when less is left, places are scarce.
_SCARCE = 1 / 5

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryListener:
    """The callbacks of the registry; they must return quickly."""

    #: an event arrived, or a frame that can't be read; the last argument is the frame itself
    notified: Callable[[Acw | Unreadable, bytes], None]
    #: these conversations are covered by the channel with this id from now on
    covered: Callable[[list[str], str], None]
    #: these conversations have not been covered since that time (epoch milliseconds)
    uncovered: Callable[[list[str], int], None]
    #: Genesys refuses this conversation's topic, for this reason
    rejected: Callable[[str, str], None]
    #: a channel was created and is not connected yet
    created: Callable[[ChannelGrant], None]
    #: the channel with this id is disconnected for good
    closed: Callable[[str], None]


class ChannelRegistry:
    """Holds all channels of this process.

    Args:
        context: What all channels share.
        listener: The callbacks.
    """

    def __init__(self, context: ChannelContext, listener: RegistryListener) -> None:
        self._context = context
        self._settings = context.settings
        self._load = context.load
        self._clock = context.runtime.clock
        self._random = context.runtime.random
        self._metrics = context.runtime.metrics
        self._listener = listener
        self._notices = SystemNotices(context.runtime.metrics)
        self._channels: dict[str, Channel] = {}
        self._home: dict[str, Channel] = {}  # by conversation
        self._waiting = Waiting()
        self._placement = Placement(context.settings.api_rate_per_minute, context.settings.channel_topics)
        self._handovers: dict[str, Handover] = {}  # by the old channel's id
        self._being_made = 0  # number of channels
        self._failures = 0  # in a row, to make a channel
        self._not_before = -1e9  # monotonic seconds: no channel is made earlier
        self._wake = Event()  # wakes placement
        self._tasks = TaskGroup("channels", context.runtime.on_crash)

    def start(self, conversation_ids: Iterable[str]) -> None:
        """Follow these conversations, and those of later calls to :meth:`follow`, until :meth:`stop`. Does not wait."""
        self._waiting.arrived(conversation_ids)
        self._wake.set()
        self._tasks.spawn("placement", self._place)
        self._tasks.spawn("watch", self._watch)

    def stop(self, seconds: float) -> list[str]:
        """Close every socket within ``seconds``.

        Returns:
            The names of the greenlets that did not end in time.
        """
        self._wake.set()
        stopping = TaskGroup("channel-stop", self._context.runtime.on_crash)
        for channel in list(self._channels.values()):
            stopping.spawn(channel.id, channel.retire, seconds)
        late = self._tasks.stop(seconds)
        late += stopping.stop(seconds)
        self._channels.clear()
        self._home.clear()
        return late

    def follow(self, conversation_id: str) -> None:
        """Put this conversation's topic on a channel; the callback ``covered`` reports success. Does not wait.

        A repetition reports again a conversation that is already covered, and changes nothing else.
        """
        home = self._home.get(conversation_id)
        if home is None:
            self._waiting.arrived([conversation_id])
            self._wake.set()
        else:
            self._report_covered(home, [conversation_id])

    def unfollow(self, conversation_id: str) -> None:
        """Take this conversation's topic off its channel; a repetition changes nothing. Does not wait."""
        self._waiting.discard(conversation_id)
        self._home.pop(conversation_id, None)
        for channel in self._channels.values():  # during a handover two of them hold it
            channel.writer.drop(conversation_id)

    def followed(self) -> set[str]:
        """The conversations that have a home channel or wait for one."""
        return self._home.keys() | set(self._waiting)

    def covered(self) -> set[str]:
        """The conversations whose notifications arrive on their home channel now."""
        return {one for channel in self.channels() for one in channel.writer.covered_among(self.carried_by(channel))}

    def channels(self) -> tuple[Channel, ...]:
        """The channels in use or not yet closed, oldest first."""
        return tuple(self._channels.values())

    def waiting(self) -> int:
        """Number of conversations without a channel."""
        return len(self._waiting)

    @property
    def free_places(self) -> int:
        """Number of topics that can still be followed within the budget, without the place kept for handovers."""
        taken = len(self._home) + len(self._waiting)
        lost = sum(channel.writer.lost_places for channel in self._channels.values() if channel.usable)
        return max(0, self._all_places() - taken - lost)

    @property
    def places_scarce(self) -> bool:
        """Whether less than a fifth of all places is left."""
        return self.free_places < self._all_places() * _SCARCE

    def _all_places(self) -> int:
        return (self._settings.channel_budget - 1) * self._settings.channel_topics

    def connected(self) -> int:
        """Number of channels that count against the budget now."""
        return sum(channel.connected for channel in self._channels.values()) + self._being_made

    # Placement

    def _place(self) -> None:
        while not self._tasks.stopping:
            self._wake.wait()
            self._wake.clear()
            while self._waiting and not self._tasks.stopping:
                busy = self._load.busy
                channel = self._channel_for_waiting(busy)
                if channel is None:
                    break
                seconds = self._placement.seconds_until(
                    channel.free_places, len(self._waiting), self._clock.monotonic(), busy=busy
                )
                if seconds:  # decide again at each arrival: there may be enough for a whole channel now
                    self._wake.wait(seconds)
                    self._wake.clear()
                else:
                    self._assign(channel)

    def _assign(self, channel: Channel) -> None:
        """Make this channel the home of as many waiting conversations as it can take."""
        self._placement.placed(channel.free_places, len(self._waiting), self._clock.monotonic())
        ids, fresh = self._waiting.take(channel.free_places)
        self._home.update(dict.fromkeys(ids, channel))
        self._load.requested(fresh)
        channel.writer.want(ids)
        self._report_covered(channel, ids)

    def _channel_for_waiting(self, busy: bool) -> Channel | None:
        chosen = self._with_free_places(busy)
        if self._placement.wants_new(chosen, len(self._waiting), busy=busy):
            return self._make_for_demand() or chosen
        return chosen

    def _with_free_places(self, busy: bool) -> Channel | None:
        usable = [one for one in self._channels.values() if one.usable and one.id not in self._handovers]
        return self._placement.choose(usable, busy=busy)

    def _make_for_demand(self) -> Channel | None:
        """Make a channel for waiting conversations; the budget's last place is kept for handovers."""
        return self._make("demand", self._settings.channel_budget - 1)

    def _make(self, reason: str, budget: int) -> Channel | None:
        """Create and start a channel; None if that is not possible now."""
        if self.connected() >= budget or self._clock.monotonic() < self._not_before:
            return None
        self._being_made += 1
        try:
            grant = self._context.genesys.create_channel()
        except (TransientFailure, PermanentFailure) as error:
            self._pause_making(getattr(error, "retry_after", None))
            log.warning("channel_not_made", error=str(error), waiting=len(self._waiting))
            return None
        finally:
            self._being_made -= 1
        reach("channel_made")
        self._listener.created(grant)
        self._metrics.channel_created.labels(reason=reason).inc()
        channel = Channel(grant, self._context, self._channel_listener())
        self._channels[channel.id] = channel
        if self._tasks.stopping:
            return None
        channel.start()
        return channel

    def _pause_making(self, retry_after: float | None) -> None:
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

    # Callbacks of the channels

    def _channel_listener(self) -> ChannelListener:
        return ChannelListener(
            notified=lambda _, notification, frame: self._listener.notified(notification, frame),
            noticed=self._notices.note,
            covered=self._covered,
            uncovered=self._uncovered,
            rejected=lambda _, one, reason: self._listener.rejected(one, reason),
            drifted=self._metrics.subscription_drift.inc,
            displaced=self._displaced,
            closing=lambda channel: self._begin_handover(channel, "notice"),
            gone=self._gone,
        )

    def _covered(self, channel: Channel, ids: list[str]) -> None:
        """Report only what a home channel covers; for a successor, :meth:`move` reports."""
        self._report_covered(channel, [one for one in ids if self._home.get(one) is channel])

    def _report_covered(self, channel: Channel, ids: Iterable[str]) -> None:
        covered = channel.writer.covered_among(ids)
        if covered:
            self._listener.covered(covered, channel.id)

    def _uncovered(self, channel: Channel, ids: list[str], since: int) -> None:
        """Report only what a home channel lost; what its successor already covers moves there instead."""
        lost = [one for one in ids if self._home.get(one) is channel]
        handover = self._handovers.get(channel.id)
        if handover is not None and handover.successor is not None:
            kept = handover.successor.writer.covered_among(lost)
            self._home.update(dict.fromkeys(kept, handover.successor))
            self._report_covered(handover.successor, kept)
            lost = [one for one in lost if self._home[one] is channel]
        if lost:
            self._listener.uncovered(lost, since)

    def _displaced(self, channel: Channel, ids: Iterable[str]) -> None:
        lost = []
        for one in ids:
            if self._home.get(one) is channel:
                del self._home[one]
                lost.append(one)
        self._waiting.displaced(lost)
        self._wake.set()

    def _gone(self, channel: Channel, reason: str) -> None:
        log.warning("channel_replaced", channel=channel.id, reason=reason, topics=channel.writer.size)
        self._metrics.channel_handovers.labels(reason="gone").inc()
        if channel.age_seconds > 1.5 * self._settings.heartbeat_seconds:
            self._failures = 0
        else:
            self._pause_making(None)  # channels that soon end must not be replaced as fast as they end
        handover = self._handovers.get(channel.id)
        if handover is not None and handover.successor is not None and handover.successor.usable:
            self.move(channel, handover.successor)
        self._tasks.spawn(f"retire-{channel.id[-8:]}", self._retire, channel)

    def _retire(self, channel: Channel) -> None:
        """Close it for good; conversations whose home it still is wait for another channel."""
        self._displaced(channel, [one for one, home in self._home.items() if home is channel])
        channel.retire()
        self._channels.pop(channel.id, None)
        self._listener.closed(channel.id)
        self._wake.set()

    # Watch and handovers

    def _watch(self) -> None:
        """Close idle channels, hand over those near their end, and have the lists audited at intervals."""
        settings = self._settings
        audited = self._clock.monotonic()
        while not self._tasks.wait(min(settings.channel_idle_seconds, settings.audit_seconds, 8.0) / 8):
            now = self._clock.monotonic()
            self._wake.set()  # removed topics may have freed places
            if now > self._not_before + 1.5 * settings.heartbeat_seconds:
                self._failures = 0
            due = now - audited >= settings.audit_seconds
            for channel in self.channels():
                if channel.usable and channel.id not in self._handovers:
                    self._check(channel, due)
            if due:
                audited = now

    def _check(self, channel: Channel, audit: bool) -> None:
        if channel.idle_seconds() > self._settings.channel_idle_seconds:
            self._begin_handover(channel, "idle")
        elif channel.hand_over_due:
            self._begin_handover(channel, "expiry")
        elif audit:
            channel.writer.audit()

    def _begin_handover(self, channel: Channel, reason: str) -> None:
        if channel.id not in self._handovers:
            on_moved = self._metrics.channel_handovers.labels(reason=reason).inc
            handover = Handover(channel, reason, self, self._context, self._tasks, on_moved)
            self._handovers[channel.id] = handover
            self._tasks.spawn(f"handover-{channel.id[-8:]}", self._hand_over, handover)

    def _hand_over(self, handover: Handover) -> None:
        old = handover.old
        try:
            if handover.run():
                self._retire(old)
                return
            log.warning("handover_failed", channel=old.id, reason=handover.reason)
            old.postpone_handover()
            if handover.successor is not None:
                if old.usable:  # some may have moved already, because the server took them off the old list
                    self.move(handover.successor, old)
                self._retire(handover.successor)
        finally:
            del self._handovers[old.id]
            self._wake.set()

    def make_successor(self) -> Channel | None:
        """For a handover: make a channel, also in the budget's last place; None if that is not possible now."""
        return self._make("handover", self._settings.channel_budget)

    def carried_by(self, channel: Channel) -> Sequence[str]:
        """For a handover: the conversations whose home that channel is."""
        return [one for one in channel.writer.desired if self._home.get(one) is channel]

    def move(self, old: Channel, successor: Channel) -> int:
        """For a handover: make the successor the home of all that the old channel carries; returns their number."""
        moving = self.carried_by(old)
        covered_before = old.writer.covered_among(moving)
        self._home.update(dict.fromkeys(moving, successor))
        successor.writer.want(moving)
        self._report_covered(successor, moving)
        left_out = set(covered_before).difference(successor.writer.covered_among(moving))
        if left_out:
            self._listener.uncovered(sorted(left_out), self._clock.now())
        return len(moving)

    def place_needed(self) -> bool:
        """For a handover: whether others, or waiting conversations, need an old channel's place in the budget."""
        left_for_demand = self._settings.channel_budget - 1 - (len(self._channels) - len(self._handovers))
        needed_by_waiting = bool(self._waiting) and left_for_demand > 0 and self._with_free_places(False) is None
        return needed_by_waiting or any(handover.waits_for_budget for handover in self._handovers.values())
