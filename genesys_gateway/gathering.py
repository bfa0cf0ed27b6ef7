"""Waits while more is being asked for, so that a burst of thousands costs a handful of calls.

Law: at 300 calls a minute nobody waits for others longer than a second, in a burst that lasts no longer than three, and
a lone one hardly at all.
"""

from collections.abc import Callable

from genesys_gateway.clock import Clock

#: Of a burst that goes on and on, so many times as much is gathered for one call.
_LONGEST = 3


class Gathering:
    """The moments between the calls of one writer, which takes at most two fifths of the calls a minute.

    Args:
        per_minute: Calls of all writers together.
        clock: Its monotonic time counts.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._clock = clock
        # At 300 a minute: a call every 0.5 s, a burst gathered until it pauses for 50 ms, for one second at the most.
        self._spacing, self.pause, self._patience = (share / per_minute for share in (150, 15, 300))
        #: calls in a row for which the burst has not paused
        self._unpaused = 0
        self._last_asked = self._next_call = -1e9  # monotonic seconds

    @property
    def resting(self) -> bool:
        """Whether the next call must wait in any case."""
        return self._clock.monotonic() < self._next_call

    def asked(self) -> None:
        """One more was asked for."""
        self._last_asked = self._clock.monotonic()

    def called(self) -> None:
        """A call begins."""
        self._next_call = self._clock.monotonic() + self._spacing

    def wait(self, stopped: Callable[[], bool]) -> None:
        """Return when it is time for the next call, or soon after ``stopped`` turns true."""
        begun = self._clock.monotonic()
        patience = self._patience * min(1 + self._unpaused, _LONGEST)
        while not stopped():
            now = self._clock.monotonic()
            until = max(self._next_call, min(self._last_asked + self.pause, begun + patience))
            if now >= until:
                self._unpaused = self._unpaused + 1 if now < self._last_asked + self.pause else 0
                return
            self._clock.sleep(until - now)
