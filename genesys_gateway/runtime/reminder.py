"""Decides when a state that lasts is logged: when it begins, then once a minute, not each time that it is noticed.

Invariant: an outage of any length adds a bounded number of lines a minute to the log.
"""

from genesys_gateway.runtime.clock import Clock

#: Time between two lines with the same reason, in seconds.
_SECONDS = 60.0


class Reminder:
    """One kind of line.

    Args:
        clock: Only its monotonic time is used.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: when each reason was logged last, in monotonic seconds
        self._logged_at: dict[str, float] = {}

    def due(self, reason: object) -> bool:
        """Whether the caller is to log now that the state lasts for this reason."""
        text, now = str(reason), self._clock.monotonic()
        if now - self._logged_at.get(text, -_SECONDS) < _SECONDS:
            return False
        self._logged_at[text] = now
        return True

    def over(self) -> None:
        """Note that the state is over: if it begins again, that is logged."""
        self._logged_at.clear()
