"""Watches whether other instances renew their leases, by the monotonic clock of this process alone.

Invariant: pure. An instance is suspected only if every look for as long as a lease lasts has shown the same lease, with
no longer gap between two looks than half a lease. So neither a jump of the database's clock nor an outage, nor a pause
of this process, makes anybody suspect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

#: Longest time between two looks as a share of the lease; after a longer one the watch begins anew.
_GAP = 1 / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    #: epoch milliseconds
    lease_until: int
    #: monotonic seconds
    since: float


class LeaseWatch:
    """What was seen of each other instance.

    Args:
        seconds: How long a lease lasts without renewal.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[str, _Seen] = {}
        self._looked_at = -inf

    def look(self, leases: Mapping[str, int], now: float) -> None:
        """Note until when the leases of the others last, as read at ``now`` (monotonic seconds)."""
        if now - self._looked_at > self._seconds * _GAP:
            self._seen.clear()
        self._looked_at = now
        before, self._seen = self._seen, {}
        for one, until in leases.items():
            seen = before.get(one)
            same = seen is not None and seen.lease_until == until
            self._seen[one] = seen if seen is not None and same else _Seen(lease_until=until, since=now)

    def suspects(self, now: float) -> list[str]:
        """The instances that have renewed no lease for as long as one lasts."""
        return [one for one, seen in self._seen.items() if now - seen.since >= self._seconds]

    def next_suspect_at(self) -> float:
        """When the next instance becomes suspect if it renews no lease (monotonic seconds); infinite without others."""
        return min((seen.since for seen in self._seen.values()), default=inf) + self._seconds
