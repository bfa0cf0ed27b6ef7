"""Keeps an instance from writing when other instances may have taken over its work.

Invariant: the fence closes two thirds of a lease after the last renewal began, by the monotonic clock, whatever else
this process does or fails to do. That clock goes on while a process is stopped.
"""

from genesys_gateway.runtime.clock import Clock

#: Share of a lease in which an instance may write after a renewal. The rest covers a COMMIT on its way.
_SURE_SHARE = 2 / 3
#: Share of a lease for which a transaction may idle. A COMMIT that was checked at the last moment arrives within both.
_IDLE_SHARE = 1 / 4


class Fence:
    """Tells whether this instance may write now. It is closed until the first renewal.

    Args:
        clock: Only its monotonic time is used.
        lease_seconds: How long a lease lasts without renewal.
    """

    def __init__(self, clock: Clock, lease_seconds: float) -> None:
        self._clock = clock
        self._sure_seconds = lease_seconds * _SURE_SHARE
        #: after how long without a statement the server has to end a transaction of this instance
        self.idle_seconds = lease_seconds * _IDLE_SHARE
        self._renewed_at: float | None = None
        #: number of times that the lease was lost: what began under an earlier number must not be committed
        self.number = 0

    @property
    def open(self) -> bool:
        """Whether the lease holds for certain."""
        return self._renewed_at is not None and self._clock.monotonic() - self._renewed_at < self._sure_seconds

    def renewed(self, began_at: float) -> None:
        """Open it: a renewal that began at this monotonic time has succeeded."""
        self._renewed_at = began_at

    def close(self) -> None:
        """Close it at once: the lease is lost."""
        self._renewed_at = None
        self.number += 1
