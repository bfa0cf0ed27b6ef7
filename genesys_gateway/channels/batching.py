"""Waits while more is being asked for, so that a burst of thousands costs a handful of calls.

Law: at 300 calls a minute nobody waits for others longer than a second, in a crowd no longer than three, and a lone one
hardly at all.
"""

from collections.abc import Callable

from genesys_gateway.runtime.clock import Clock

#: So many in one call are a crowd, and more will come.
CROWD = 100
#: What follows a crowd is gathered for so many times as long, and pauses of so many times the length don't end it.
_LONGER, _PAUSES = 3, 10


class Batcher:
    """The moments between the calls of one writer, which takes at most two fifths of the calls a minute.

    Args:
        per_minute: Calls of all writers together.
        clock: Its monotonic time counts.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._clock = clock
        # At 300 a minute: a call every 0.5 s, a burst gathered until it pauses for 50 ms, for one second at the most.
        self._spacing, self.pause, self._patience = (share / per_minute for share in (150, 15, 300))
        self._last_asked = self._next_call = -1e9  # monotonic seconds
        self._crowded = False

    @property
    def resting(self) -> bool:
        """Whether the next call must wait in any case."""
        return self._clock.monotonic() < self._next_call

    def asked(self) -> None:
        """One more was asked for."""
        self._last_asked = self._clock.monotonic()

    def called(self, count: int) -> None:
        """A call for so many begins."""
        self._next_call = self._clock.monotonic() + self._spacing
        self._crowded = count >= CROWD

    def wait(self, stopped: Callable[[], bool]) -> None:
        """Return when it is time for the next call, or soon after ``stopped`` turns true."""
        begun = self._clock.monotonic()
        pause = self.pause * (_PAUSES if self._crowded else 1)
        patience = self._patience * (_LONGER if self._crowded else 1)
        while not stopped():
            now = self._clock.monotonic()
            until = max(self._next_call, min(self._last_asked + pause, begun + patience))
            if now >= until:
                return
            self._clock.sleep(until - now)
