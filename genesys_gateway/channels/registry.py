"""The singleton that decides which conversation's topic is on which channel: placement, budget, handover.

Invariant: a conversation has one home channel, or waits for one; none is refused. There are never more connected
channels than the budget allows.
"""

from collections.abc import Collection, Iterable, Sequence

from gevent.event import Event

from genesys_gateway.channels.budget import ChannelBudget, OwnBudget
from genesys_gateway.channels.channel import Channel, ChannelContext, ChannelListener
from genesys_gateway.channels.creation import ChannelCreation
from genesys_gateway.channels.handover import Handover
from genesys_gateway.channels.placement import Placement, Waiting
from genesys_gateway.channels.registry_listener import RegistryListener
from genesys_gateway.channels.system_notices import SystemNotices
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger

#: Share of all places; when less is left, places are scarce.
_SCARCE = 1 / 5

log = get_logger(__name__)


class ChannelRegistry:
    """Holds all channels of this process.

    Args:
        context: What all channels share.
        listener: The callbacks.
        budget: Grants the places for channels; without it, one for this process alone.
    """

    def __init__(
        self, context: ChannelContext, listener: RegistryListener, budget: ChannelBudget | None = None
    ) -> None:
        self._context = context
        self._settings = context.settings
        self._load = context.load
        self._clock = context.runtime.clock
        self._metrics = context.runtime.metrics
        self._listener = listener
        self._notices = SystemNotices(context.runtime.metrics)
        self._channels: dict[str, Channel] = {}
        self._home: dict[str, Channel] = {}  # by conversation
        self._waiting = Waiting()
        self._placement = Placement(context.settings.api_rate_per_minute, context.settings.channel_topics)
        self._handovers: dict[str, Handover] = {}  # by the old channel's id
        self._budget = budget or OwnBudget(context.settings.channel_budget)
        self._creation = ChannelCreation(
            context, self._budget, connected=self._with_socket, wanted=self._wanted, created=listener.created
        )
        self._wake = Event()  # wakes placement
        self._draining = False
        self._tasks = TaskGroup("channels", context.runtime.on_crash)

    def start(self, conversation_ids: Iterable[str]) -> None:
        """Follow these conversations, and those of later calls to :meth:`follow`, until :meth:`stop`. Does not wait."""
        self._waiting.arrived(conversation_ids, self._clock.monotonic())
        self._wake.set()
        self._tasks.spawn("placement", self._place)
        self._tasks.spawn("watch", self._watch)
        self._tasks.spawn("budget", self._creation.run, self._tasks)

    def stop(self, seconds: float) -> list[str]:
        """Close every socket within ``seconds``.

        Returns:
            The names of the greenlets that did not end in time.
        """
        self._wake.set()
        stopping = self._retire_all(seconds)
        late = self._tasks.stop(seconds)
        late += stopping.stop(seconds)
        self._channels.clear()
        self._home.clear()
        return late

    def reset(self, seconds: float = 1.0) -> None:
        """Close every socket within ``seconds`` and forget all conversations; their coverage is not reported."""
        channels, closing = self.channels(), self._retire_all(seconds)
        self._creation.reset()
        self._waiting.clear()
        self._home.clear()
        self._channels.clear()
        closing.stop(seconds)
        for channel in channels:
            self._listener.closed(channel.id)
        self._wake.set()

    def drain(self) -> None:
        """Subscribe nothing more: other instances take over, and Genesys takes the topics off our lists meanwhile."""
        self._draining = True
        for channel in self.channels():
            channel.writer.freeze(True)

    def close_emptied(self, remaining: Collection[str]) -> None:
        """During a drain: close channels that are the home of none of the remaining conversations. Does not wait."""
        for channel in self.channels():
            carried = self.carried_by(channel)
            if channel.usable and channel.id not in self._handovers and not any(one in remaining for one in carried):
                for one in carried:
                    del self._home[one]
                self._tasks.spawn(f"retire-{channel.id[-8:]}", self._retire, channel)

    def _retire_all(self, seconds: float) -> TaskGroup:
        closing = TaskGroup("channel-stop", self._context.runtime.on_crash)
        for channel in self.channels():
            closing.spawn(channel.id, channel.retire, seconds)
        return closing

    def follow(self, conversation_id: str) -> None:
        """Put this conversation's topic on a channel; the callback ``covered`` reports success. Does not wait.

        A repetition reports again a conversation that is already covered, and changes nothing else.
        """
        home = self._home.get(conversation_id)
        if home is None:
            self._waiting.arrived([conversation_id], self._clock.monotonic())
            self._wake.set()
        else:
            self._report_covered(home, [conversation_id])

    def unfollow(self, conversation_id: str) -> None:
        """Take this conversation's topic off its channel; a repetition changes nothing. Does not wait."""
        self._waiting.discard(conversation_id)
        self._home.pop(conversation_id, None)
        for channel in self._channels.values():  # during a handover two of them hold it
            channel.writer.drop(conversation_id)

    def let_go(self, conversation_id: str) -> None:
        """Unfollow a conversation that another instance owns, and report it as uncovered if it was covered here.

        Its cover may not be stored yet. Stored after the conversation has come back to this instance, it would be
        untrue.
        """
        home = self._home.get(conversation_id)
        covered = home is not None and home.writer.covered_among([conversation_id])
        self.unfollow(conversation_id)
        if covered:
            self._listener.uncovered([conversation_id], self._clock.now())

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

    def waiting_ids(self) -> list[str]:
        """The conversations without a channel."""
        return list(self._waiting)

    @property
    def free_places(self) -> int:
        """Number of topics that can still be followed within the budget, without the place kept for handovers."""
        return max(0, self._places_left())

    def waiting_for_a_place(self, seconds: float = 0.0) -> int:
        """Number of conversations without a place in the budget for so long, or until less than so long ago."""
        now = self._clock.monotonic()
        waiting = min(len(self._waiting), -self._places_left()) - self._waiting.after(now - seconds)  # they come last
        return max(0, waiting) + self._waiting.just_taken(seconds, now)

    def _places_left(self) -> int:
        lost = sum(channel.writer.lost_places for channel in self._channels.values() if channel.usable)
        return self._all_places() - len(self._home) - len(self._waiting) - lost

    @property
    def places_scarce(self) -> bool:
        """Whether less than a fifth of all places is left."""
        return self.free_places < max(1, self._all_places() * _SCARCE)

    def _all_places(self) -> int:
        return self._budget.attainable * self._settings.channel_topics

    def connected(self) -> int:
        """Number of channels that count against the budget now."""
        return self._creation.used()

    def _with_socket(self) -> int:
        return sum(channel.connected for channel in self._channels.values())

    def count_places(self) -> None:
        """Find out how many places other instances leave, so that :attr:`free_places` is true. May wait."""
        self._creation.settle()

    def places_freed(self) -> None:
        """Look again for places: other instances may have given back some. Does not wait."""
        self._budget.freed()
        self._wake.set()

    def _wanted(self) -> int:
        """Number of channels that are wanted now in addition."""
        if self._draining:
            return 0
        for_waiting = -(-len(self._waiting) // self._settings.channel_topics)
        return for_waiting + sum(handover.waits_for_budget for handover in self._handovers.values())

    def _place(self) -> None:
        while not self._tasks.stopping:
            self._wake.wait()
            self._wake.clear()
            while self._waiting and not (self._tasks.stopping or self._draining):
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
        ids, fresh = self._waiting.take(channel.free_places, self._clock.monotonic())
        self._home.update(dict.fromkeys(ids, channel))
        self._load.requested(fresh)
        channel.writer.want(ids)
        self._report_covered(channel, ids)

    def _channel_for_waiting(self, busy: bool) -> Channel | None:
        chosen = self._with_free_places(busy)
        if self._placement.wants_new(chosen, len(self._waiting), busy=busy):
            return self._make("demand") or chosen
        return chosen

    def _with_free_places(self, busy: bool) -> Channel | None:
        usable = [one for one in self._channels.values() if one.usable and one.id not in self._handovers]
        return self._placement.choose(usable, busy=busy)

    def _make(self, reason: str) -> Channel | None:
        """Create and start a channel; None if that is not possible now."""
        grant = self._creation.make(reason)
        if grant is None:
            return None
        channel = Channel(grant, self._context, self._channel_listener(), lambda: self._budget.certain)
        self._channels[channel.id] = channel
        if self._tasks.stopping:
            return None
        channel.start()
        return channel

    # Callbacks of the channels

    def _channel_listener(self) -> ChannelListener:
        return ChannelListener(
            notified=lambda _, notification, frame: self._listener.notified(notification, frame),
            noticed=self._notices.note,
            covered=self._covered,
            uncovered=self._uncovered,
            missing=self._missing,
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

    def _missing(self, channel: Channel, ids: list[str], since: int) -> None:
        """Report what the server's list lacks; during a drain it is other instances that have those topics now."""
        if not self._draining:
            self._uncovered(channel, ids, since)

    def _displaced(self, channel: Channel, ids: Iterable[str]) -> None:
        lost = [one for one in ids if self._home.get(one) is channel]
        for one in lost:
            del self._home[one]
        self._waiting.displaced(lost, self._clock.monotonic())
        self._wake.set()

    def _gone(self, channel: Channel, reason: str) -> None:
        log.warning("channel_replaced", channel=channel.id, reason=reason, topics=channel.writer.size)
        self._metrics.channel_handovers.labels(reason="gone").inc()
        self._creation.ended(channel.age_seconds)
        handover = self._handovers.get(channel.id)
        if handover is not None and handover.successor is not None and handover.successor.usable:
            self.move(channel, handover.successor)
        self._tasks.spawn(f"retire-{channel.id[-8:]}", self._retire, channel)

    def _retire(self, channel: Channel) -> None:
        """Close it for good; conversations whose home it still is wait for another channel. May be repeated."""
        self._displaced(channel, [one for one, home in self._home.items() if home is channel])
        channel.retire()
        if self._channels.pop(channel.id, None) is not None:
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
            self._creation.forgive()
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
        if channel.id not in self._handovers and not self._draining:
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
        return self._make("handover")

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
        left_for_demand = self._budget.attainable - (len(self._channels) - len(self._handovers))
        needed_by_waiting = bool(self._waiting) and left_for_demand > 0 and self._with_free_places(False) is None
        needed = needed_by_waiting or self._budget.others_may_wait
        return needed or any(handover.waits_for_budget for handover in self._handovers.values())
