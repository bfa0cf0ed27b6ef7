"""One channel's topics move to a successor: make before break.

Law: the old channel reads on until the successor's own list, read back, holds what it carries; no moment is left
without a socket that listens. What can't be moved stays where it is.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from genesys_gateway.channels.channel import Channel, ChannelContext
from genesys_gateway.runtime.clock import Deadline
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger

log = get_logger(__name__)

#: Genesys docs: a socket is closed about 60 s after its notice; the last quarter is left for a reconnect.
_NOTICE_SECONDS = 45.0


class HandoverHost(Protocol):
    """What a handover needs of the registry."""

    def make_successor(self) -> Channel | None:
        """A new channel, if the budget allows one now."""

    def carried_by(self, channel: Channel) -> Sequence[str]:
        """The conversations whose home that channel is."""

    def move(self, old: Channel, successor: Channel) -> int:
        """Make the successor their home; how many moved."""

    def others_wait(self) -> bool:
        """Whether somebody waits for this one's old channel to be closed."""


class Handover:
    """A handover from its beginning to its end.

    Args:
        reason: ``notice`` or ``expiry``.
        crew: Whose stop ends it.
        count: Called once when everything has moved, a whole overlap before it is at its end.
    """

    def __init__(
        self,
        old: Channel,
        reason: str,
        host: HandoverHost,
        context: ChannelContext,
        tasks: TaskGroup,
        count: Callable[[], None],
    ) -> None:
        self.old = old
        self.reason = reason
        #: made, connected or not; None until then
        self.successor: Channel | None = None
        #: whether it waits for room in the budget
        self.waits = False
        self._host = host
        self._settings = context.settings
        self._clock = context.runtime.clock
        self._count = count
        self._tasks = tasks

    def run(self) -> bool:
        """Move everything, and return when the old channel may be closed; False when nothing was moved."""
        if not self.old.writer.size:
            return True
        self.successor = self._made()
        self.old.writer.freeze(True)
        if self.successor is None or not self._lasts() or not self._subscribed():
            self.old.writer.freeze(False)
            return False
        reach("successor_ready")
        moved = self._host.move(self.old, self.successor)
        log.info("handed_over", channel=self.old.id, successor=self.successor.id, topics=moved, reason=self.reason)
        self._count()
        reach("moved")
        self._read_on()
        return True

    def _made(self) -> Channel | None:
        """The successor, as soon as the budget allows it and as long as it is of use."""
        patience = Deadline(self._clock, _NOTICE_SECONDS if self.reason == "notice" else float("inf"))
        self.waits = True
        try:
            while self.old.usable and not patience.passed and not self._tasks.stopping:
                successor = self._host.make_successor()
                if successor is not None:
                    return successor
                self._tasks.wait(self._settings.reply_seconds / 20)
            return None
        finally:
            self.waits = False

    def _lasts(self) -> bool:
        """While no new token can be had, a successor would end together with the old channel."""
        if self.reason != "expiry" or self.successor is None or self.successor.ends_at > self.old.ends_at:
            return True
        log.warning("successor_ends_as_soon", channel=self.old.id)
        return False

    def _subscribed(self) -> bool:
        """Whether the successor's own list, read back, came to hold all that the old one carries, in time."""
        deadline = Deadline(self._clock, self._settings.heartbeat_seconds)
        verified = False
        while self.successor is not None and self.successor.usable and not self._tasks.stopping:
            if not self.old.usable:  # then the registry has moved everything already, verified or not
                return True
            self.successor.writer.want(self._host.carried_by(self.old))
            if self.successor.writer.settled:
                if verified:
                    return True
                self.successor.writer.audit()
                verified = True
            if deadline.passed:
                break
            self._tasks.wait(self._settings.reply_seconds / 100)
        return False

    def _read_on(self) -> None:
        """What was under way may still arrive at the old socket. While others wait it is closed earlier."""
        self.old.read_on()
        overlap = Deadline(self._clock, self._settings.channel_overlap_seconds)
        short = Deadline(self._clock, self._settings.channel_overlap_seconds / 12)
        while self.old.listening and not overlap.passed and not (short.passed and self._host.others_wait()):
            if self._tasks.wait(self._settings.reply_seconds / 10):
                return
