"""Moves one channel's topics to a successor: make before break.

Invariant: the old channel reads on until the successor's own list, read back, holds everything the old one carries, so
that a socket listens at every moment. Topics that can't be moved stay where they are.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from genesys_gateway.channels.channel import Channel, ChannelContext
from genesys_gateway.runtime.clock import Deadline
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger

log = get_logger(__name__)

#: Seconds after a closing notice during which a handover may begin. Genesys docs: the socket is closed about 60 s after
#: the notice; the last quarter is left for a reconnect.
_NOTICE_SECONDS = 45.0


class HandoverHost(Protocol):
    """The functions of the registry that a handover uses."""

    def make_successor(self) -> Channel | None:
        """Make a new channel; None if the budget allows none now."""

    def carried_by(self, channel: Channel) -> Sequence[str]:
        """The conversations whose home that channel is."""

    def move(self, old: Channel, successor: Channel) -> int:
        """Make the successor the home of all that the old channel carries; returns their number."""

    def place_needed(self) -> bool:
        """Whether other handovers or waiting conversations need an old channel's place in the budget."""


class Handover:
    """One handover from its beginning to its end.

    Args:
        old: The channel whose topics move.
        reason: ``notice``, ``expiry`` or ``idle``.
        host: The registry.
        tasks: The task group whose stop ends the handover.
        on_moved: Called once when everything has moved, before the overlap begins.
    """

    def __init__(
        self,
        old: Channel,
        reason: str,
        host: HandoverHost,
        context: ChannelContext,
        tasks: TaskGroup,
        on_moved: Callable[[], None],
    ) -> None:
        self.old = old
        self.reason = reason
        #: None until it is made; it need not be connected yet
        self.successor: Channel | None = None
        #: whether the handover waits for a free place in the budget
        self.waits_for_budget = False
        self._host = host
        self._settings = context.settings
        self._clock = context.runtime.clock
        self._on_moved = on_moved
        self._tasks = tasks

    def run(self) -> bool:
        """Move everything, and return True when the old channel may be closed; False when the handover failed."""
        if not self.old.writer.size:
            return True
        self.successor = self._make_successor()
        self.old.writer.freeze(True)
        if self.successor is None or not self._outlives_old() or not self._subscribed():
            self.old.writer.freeze(False)
            return False
        reach("successor_ready")
        moved = self._host.move(self.old, self.successor)
        log.info("handed_over", channel=self.old.id, successor=self.successor.id, topics=moved, reason=self.reason)
        self._on_moved()
        reach("moved")
        self._read_old_socket_on()
        return True

    def _make_successor(self) -> Channel | None:
        """Wait until the budget allows a successor; None when it would come too late to be of use."""
        patience = Deadline(self._clock, _NOTICE_SECONDS if self.reason == "notice" else float("inf"))
        self.waits_for_budget = True
        try:
            while self.old.usable and not patience.passed and not self._tasks.stopping:
                successor = self._host.make_successor()
                if successor is not None:
                    return successor
                self._tasks.wait(self._settings.reply_seconds / 20)
            return None
        finally:
            self.waits_for_budget = False

    def _outlives_old(self) -> bool:
        """Whether the successor ends later. It does not if the token could not be renewed."""
        if self.reason != "expiry" or self.successor is None or self.successor.ends_at > self.old.ends_at:
            return True
        log.warning("successor_ends_as_soon", channel=self.old.id)
        return False

    def _subscribed(self) -> bool:
        """Subscribe the successor; True when its list, read back in time, holds all that the old channel carries."""
        deadline = Deadline(self._clock, self._settings.heartbeat_seconds)
        read_back = False
        while self.successor is not None and self.successor.usable and not self._tasks.stopping:
            if not self.old.usable:  # the registry has already moved everything, verified or not
                return True
            self.successor.writer.want(self._host.carried_by(self.old))
            if self.successor.writer.settled:
                if read_back:
                    return True
                self.successor.writer.audit()
                read_back = True
            if deadline.passed:
                break
            self._tasks.wait(self._settings.reply_seconds / 100)
        return False

    def _read_old_socket_on(self) -> None:
        """Read on for the overlap: events under way may still arrive there. It is shorter if its place is needed."""
        self.old.stop_reconnecting()
        overlap = Deadline(self._clock, self._settings.channel_overlap_seconds)
        short = Deadline(self._clock, self._settings.channel_overlap_seconds / 12)
        while self.old.listening and not overlap.passed and not (short.passed and self._host.place_needed()):
            if self._tasks.wait(self._settings.reply_seconds / 10):
                return
