"""The database's time in this process: what several instances store and compare is dated by one clock.

Invariant: a jump of this machine's wall clock changes nothing once the database has told its time.
"""

from genesys_gateway.runtime.clock import SKEW_MS, Clock
from genesys_gateway.runtime.logs import get_logger

log = get_logger(__name__)

#: Milliseconds that rounding may hide: the database tells whole ones.
_ROUNDING_MS = 1


class DatabaseClock:
    """The time that the database told last, carried on by the monotonic clock; until then the machine's own time.

    Args:
        machine: The machine's own clocks.
    """

    __slots__ = ("_base", "_differs", "_machine")

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        # The database's time in milliseconds at the moment at which the monotonic clock was 0.
        self._base: float | None = None
        self._differs = False

    def now(self) -> int:
        """Epoch milliseconds on the database's clock. It jumps as that clock does, at the next :meth:`sync`."""
        if self._base is None:
            return self._machine.now()
        return round(self._base + self._machine.monotonic() * 1000)

    def monotonic(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return self._machine.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let other greenlets run for that many seconds."""
        self._machine.sleep(seconds)

    def sync(self, database_ms: int, began: float, ended: float) -> None:
        """Take over the database's time. It is moved by as little as the answer demands, so that it does not tremble.

        Args:
            database_ms: What the database answered (epoch milliseconds), at some moment between the next two.
            began: The monotonic time at which it was asked.
            ended: The monotonic time at which its answer was here.
        """
        earliest = database_ms - ended * 1000 - _ROUNDING_MS
        latest = database_ms - began * 1000 + _ROUNDING_MS
        if self._base is None:
            self._base = (earliest + latest) / 2
        else:
            self._base = min(max(self._base, earliest), latest)
        self._compare()

    def _compare(self) -> None:
        """Report, once, that this machine's clock and the database's differ: one of them is wrong."""
        ahead = self._machine.now() - self.now()
        differs = abs(ahead) > SKEW_MS
        if differs and not self._differs:
            log.warning("clock_differs", ahead_of_database_seconds=round(ahead / 1000), advice="set the wrong clock")
        self._differs = differs
