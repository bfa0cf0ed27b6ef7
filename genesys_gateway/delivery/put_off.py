"""What a round could not do, because other transactions had locked its rows: it is tried again after a short pause.

Invariant: nothing is put off by more than half a second beyond its lock, and no lock causes a loop without pauses.
"""

from genesys_gateway.delivery.round import Round

#: First and longest pause, in seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


class PutOff:
    """The parts of rounds that were put off."""

    def __init__(self) -> None:
        self._waiting = Round()
        self._pause = 0.0
        #: monotonic seconds
        self._until = 0.0

    def add(self, busy: Round, now: float) -> None:
        """Add what a round has left undone, which may be nothing.

        Args:
            now: Monotonic seconds.
        """
        if not busy.empty:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE) or _FIRST_PAUSE
            self._until = now + self._pause
            self._waiting += busy
        elif self._waiting.empty and now - self._until > _LONGEST_PAUSE:
            # Not sooner: what was put off is read again before it is claimed again, and that round meets no lock.
            self._pause = 0.0

    @property
    def ended(self) -> int:
        """Number of attempts that ended and wait to be stored."""
        return len(self._waiting.ended)

    def take(self, now: float) -> Round:
        """Take out what waits, if its pause is over; otherwise nothing."""
        if self._waiting.empty or now < self._until:
            return Round()
        taken, self._waiting = self._waiting, Round()
        return taken

    def seconds(self, now: float) -> float | None:
        """How long the pause lasts; None if nothing waits."""
        return None if self._waiting.empty else max(0.0, self._until - now)
