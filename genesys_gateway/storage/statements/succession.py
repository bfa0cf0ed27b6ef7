"""Decides which lost instances have no successor.

Invariant: pure. An instance is lost if its lease ended although it did not leave. One that began after another
one was last seen alive takes the place of at most one of those that are gone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

#: How long after an instance was last seen alive it may still have been, in milliseconds: it reports every two seconds.
_UNSEEN_MS = 2200
#: Number of lost instances of which it is tried whether they tell something.
_TRIED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One instance from its start to its end. Times are epoch milliseconds on the database's clock."""

    id: str
    started_at: int
    #: when it was last seen alive, by its latest renewal or report, and when its lease ends
    renewed_at: int
    lease_until: int
    #: where it listens; None if another may listen there, too
    endpoint: str | None
    #: when it was declared ended, or left; None if neither
    ended_at: int | None
    left: bool

    def runs(self, now: int) -> bool:
        """Whether its lease is valid."""
        return self.ended_at is None and self.lease_until > now

    def lost(self, now: int) -> bool:
        """Whether its lease ended although it did not leave."""
        return not self.left and not self.runs(now)

    def may_follow(self, gone: "Life") -> bool:
        """Whether it may have been started because that one was gone.

        Instances that are started one after the other run side by side, even if the first is killed before it is seen
        again. Elsewhere a successor takes longer to start; where nothing is known of the endpoint, it may be at once.
        """
        unseen = 0 if self.endpoint is None or gone.endpoint is None else _UNSEEN_MS
        return self.started_at > gone.renewed_at + unseen


def unreplaced(lives: Iterable[Life], now: int) -> list[Life]:
    """Return the lost instances that no other took the place of, longest lost first.

    First an instance takes the place of the one before it at the same endpoint, even if that one left: the successor of
    an instance that was restarted on purpose replaces nobody else. The others take the places that were lost first. A
    successor that was lost itself counts: then its own place is empty.
    """
    known = sorted(lives, key=lambda one: (one.renewed_at, one.id))
    successors = sorted((one for one in known if not one.left), key=lambda one: (one.started_at, one.id))
    lost = [one for one in known if one.lost(now)]
    for gone in [one for one in known if one.endpoint is not None and not one.runs(now)]:
        # At a reload the successor begins while the other is still there.
        there = [one for one in successors if one.endpoint == gone.endpoint and one.started_at > gone.started_at]
        if there:
            successors.remove(there[0])
            lost = [one for one in lost if one is not gone]
    missing = []
    for gone in lost:
        later = [one for one in successors if one.may_follow(gone)]
        if later:
            successors.remove(later[0])
        else:
            missing.append(gone)
    return missing


def telling(lives: Iterable[Life], now: int, *, most: int) -> list[Life]:
    """Leave out lost instances if there are more than so many: first those without which the same ones are missing.

    One that crashes again and again leaves a long chain, in which each has replaced the one before. If more than
    ``most`` are left, the latest of them stay.
    """
    kept = list(lives)
    lost = sorted((one for one in kept if one.lost(now)), key=lambda one: (one.renewed_at, one.id))
    if len(lost) <= most:
        return kept
    missing = _ids(unreplaced(kept, now))
    for one in lost[:_TRIED]:
        rest = [other for other in kept if other is not one]
        if len(lost) > most and _ids(unreplaced(rest, now)) == missing:
            kept = rest
            lost.remove(one)
    gone = _ids(lost[: len(lost) - most])
    return [one for one in kept if one.id not in gone]


def _ids(lives: Iterable[Life]) -> set[str]:
    return {one.id for one in lives}
