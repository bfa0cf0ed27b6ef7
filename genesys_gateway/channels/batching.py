"""Decides when a writer makes its next call, so that a burst of thousands of additions costs a handful of calls.

Invariant: at the default 300 calls a minute an addition waits at most 1 s for others to join its batch, 3 s during a
burst, and about 50 ms when it is alone.
"""

from collections.abc import Callable

from genesys_gateway.runtime.clock import Clock

#: A batch of at least this many topics belongs to a burst: more will follow.
BURST = 100
#: Factor on the maximum time that a batch collects, during a burst.
_BURST_PATIENCE = 3
#: Factor on the time without a new addition after which a batch is complete, during a burst.
_BURST_PAUSE = 10


class Batcher:
    """The timing of one writer's additions.

    They make at most four fifths of the calls allowed in a minute. Long before that calls become scarce, and placement
    slows down.

    Args:
        per_minute: The limit of calls a minute that all writers share.
        clock: Only its monotonic time is used.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._clock = clock
        #: minimum seconds between two calls; 0.25 at 300 calls a minute
        self._spacing = 75 / per_minute
        #: seconds without a new addition after which a batch is complete; 0.05 at 300 calls a minute
        self.pause = 15 / per_minute
        #: maximum seconds that a batch collects; 1 at 300 calls a minute
        self._patience = 300 / per_minute
        self._last_request = -1e9  # monotonic seconds
        self._next_call = -1e9  # monotonic seconds
        self._in_burst = False

    @property
    def too_early(self) -> bool:
        """Whether the minimum time since the last call has not passed yet."""
        return self._clock.monotonic() < self._next_call

    def requested(self) -> None:
        """Note that an addition was requested now."""
        self._last_request = self._clock.monotonic()

    def called(self, count: int) -> None:
        """Note that a call for ``count`` topics begins now."""
        self._next_call = self._clock.monotonic() + self._spacing
        self._in_burst = count >= BURST

    def wait(self, stopped: Callable[[], bool]) -> None:
        """Return when the next call may be made, or soon after ``stopped`` turns true."""
        begun = self._clock.monotonic()
        pause = self.pause * (_BURST_PAUSE if self._in_burst else 1)
        patience = self._patience * (_BURST_PATIENCE if self._in_burst else 1)
        while not stopped():
            now = self._clock.monotonic()
            until = max(self._next_call, min(self._last_request + pause, begun + patience))
            if now >= until:
                return
            self._clock.sleep(until - now)
