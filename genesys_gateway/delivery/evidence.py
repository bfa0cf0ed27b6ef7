"""What the answers to single records say about the receiver as a whole.

Invariant: pure. A record that failed while others got through is a suspect: its failures say nothing about the
receiver, until nothing at all has got through for a while. Times are monotonic seconds, passed in by the caller.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from genesys_gateway.delivery.outcome import LONGEST_HOLD, Outcome, Result, of_error
from genesys_gateway.domain.outbox import AttemptEnd

T = TypeVar("T")

#: Number of different records that have to fail in a row until the receiver counts as down.
BREAK_AFTER = 5
#: Number of different records that have to be turned away in a row until it counts as the deployment's mistake.
MISDEPLOYED_AFTER = 3
#: Number of different records that have to be refused in a row, with the same status, until the receiver's rule counts
#: as wrong, not the records.
PAUSE_AFTER = 10
#: Number of different records that have to be told a ``Retry-After`` in a row until it holds all records.
HOLD_AFTER = 2
#: Number of times that a record has to be turned away, while others get through, until it is given up.
BLAME_AFTER = 5
#: Maximum number of remembered records of each kind.
MOST_REMEMBERED = 10_000


class Signal(Enum):
    """What moves the circuit breaker."""

    #: the receiver has a record
    SUCCEEDED = "succeeded"
    #: the receiver refused one record
    REFUSED = "refused"
    #: the receiver refused PAUSE_AFTER different records in a row, with the same answer
    REFUSED_ALIKE = "refused_alike"
    #: BREAK_AFTER different records failed in a row
    OUTAGE = "outage"
    #: the receiver does not accept the credentials, or has turned MISDEPLOYED_AFTER different records away in a row
    MISDEPLOYED = "misdeployed"
    PROBE_BEGAN = "probe_began"
    #: the probe's attempt is over, and no other signal has ended the state
    PROBE_ENDED = "probe_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class _TurnedAway:
    """How often one record was turned away."""

    times: int
    #: number of successes before the first time
    successes: int


class Evidence:
    """Counts the answers, and says what follows from them for all records.

    Args:
        patience: Seconds of failures only, without any success, after which the suspects count again.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._successes = 0
        #: when the first failure since the last success came; None without one
        self._failing_since: float | None = None
        #: ids of the records that failed in any way since the last success; an ordered set
        self._failing: dict[str, None] = {}
        #: ids of the records that failed while others got through; an ordered set
        self._suspects: dict[str, None] = {}
        #: ids of the records without an answer in a row, at most BREAK_AFTER
        self._unanswered: set[str] = set()
        #: ids of the records turned away in a row, at most MISDEPLOYED_AFTER
        self._turned_away: set[str] = set()
        #: ids of the records refused in a row, all with the same error; an ordered set
        self._refused: dict[str, None] = {}
        self._refused_with: str | None = None
        #: whether the records in ``_refused`` were revived already
        self._revived = False
        #: ids of the records told to wait in a row, each with the end of its wait
        self._told: dict[str, float] = {}
        #: how often single records were turned away, by record id
        self._blame: dict[str, _TurnedAway] = {}
        #: end of the wait that the receiver demanded for all records
        self.held_until = 0.0

    def count(self, record_id: str, result: Result, now: float) -> Signal | None:
        """Count the result of one attempt, and return what it says about the receiver; None if nothing."""
        if result.outcome is Outcome.STORED:
            self._succeeded(record_id)
            return Signal.SUCCEEDED
        if self._failing_since is None:
            self._failing_since = now
        counts = record_id not in self._suspects or self._nothing_gets_through(now)
        _remember(self._failing, record_id, None)
        if result.retry_after is not None and counts:
            self._hold(record_id, now, min(result.retry_after, LONGEST_HOLD))
        match result.outcome:
            case Outcome.REFUSED:
                return self._refusal(record_id, result.error)
            case Outcome.MISDEPLOYED:
                return Signal.MISDEPLOYED if counts else None
            case Outcome.TURNED_AWAY:
                return self._turn_away(record_id, counts=counts)
            case _:
                return self._failure(record_id, counts=counts)

    def remember(self, ends: Iterable[AttemptEnd], now: float) -> None:
        """Continue the counts of an earlier process, from how its latest attempts ended, oldest first."""
        for end in ends:
            self.count(end.record_id, of_error(end.error), now)
            if end.dead:
                self.forget(end.record_id)

    def suspects(self, record_id: str) -> bool:
        """Whether this record has failed while others got through."""
        return record_id in self._suspects

    def failed_last(self, record_id: str) -> bool:
        """Whether this record has failed since the last success."""
        return record_id in self._failing

    def blames(self, record_id: str, now: float) -> bool:
        """Whether this record was turned away often enough, while others got through, to be given up for it."""
        blame = self._blame.get(record_id)
        if blame is None or self._nothing_gets_through(now):
            return False
        return blame.times >= BLAME_AFTER and self._successes > blame.successes

    def forget(self, record_id: str) -> None:
        """Forget what was counted against a record, because it was given up: if requeued, it starts afresh."""
        self._blame.pop(record_id, None)
        self._suspects.pop(record_id, None)
        self._failing.pop(record_id, None)

    def to_revive(self) -> tuple[str, ...]:
        """Ids of the records refused in a row, oldest first; empty if these were returned before."""
        revive = () if self._revived else tuple(self._refused)
        self._revived = True
        return revive

    def _nothing_gets_through(self, now: float) -> bool:
        return self._failing_since is not None and now - self._failing_since >= self._patience

    def _succeeded(self, record_id: str) -> None:
        self._successes += 1
        self._failing_since = None
        for failing in self._failing:
            _remember(self._suspects, failing, None)
        self._failing.clear()
        self._unanswered.clear()
        self._turned_away.clear()
        self._told.clear()
        self._forget_refusals()
        self.forget(record_id)

    def _hold(self, record_id: str, now: float, seconds: float) -> None:
        if len(self._told) >= HOLD_AFTER and now >= self.held_until:
            self._told.clear()  # that hold is over; for another one two have to be told again
        self._told[record_id] = max(now + seconds, self._told.get(record_id, 0.0))
        if len(self._told) >= HOLD_AFTER:
            self.held_until = max(self.held_until, *self._told.values())

    def _refusal(self, record_id: str, error: str | None) -> Signal:
        # The receiver answers: those without an answer failed by themselves.
        for unanswered in self._unanswered:
            _remember(self._suspects, unanswered, None)
        self._unanswered.clear()
        if error != self._refused_with:
            self._forget_refusals()
            self._refused_with = error
        if len(self._refused) < PAUSE_AFTER:
            self._refused.setdefault(record_id)
        return Signal.REFUSED_ALIKE if len(self._refused) >= PAUSE_AFTER else Signal.REFUSED

    def _forget_refusals(self) -> None:
        self._refused.clear()
        self._revived = False

    def _turn_away(self, record_id: str, *, counts: bool) -> Signal | None:
        if counts and len(self._turned_away) < MISDEPLOYED_AFTER:
            self._turned_away.add(record_id)
        if len(self._turned_away) >= MISDEPLOYED_AFTER:
            for one in self._turned_away:  # what speaks of the deployment is held against no record
                self._blame.pop(one, None)
            return Signal.MISDEPLOYED
        before = self._blame.get(record_id) or _TurnedAway(times=0, successes=self._successes)
        _remember(self._blame, record_id, _TurnedAway(times=before.times + 1, successes=before.successes))
        return None

    def _failure(self, record_id: str, *, counts: bool) -> Signal | None:
        if not counts:
            return None
        if len(self._unanswered) < BREAK_AFTER:
            self._unanswered.add(record_id)
        return Signal.OUTAGE if len(self._unanswered) >= BREAK_AFTER else None


def _remember(where: dict[str, T], record_id: str, what: T) -> None:
    """Put it last, and drop the oldest beyond the maximum."""
    where.pop(record_id, None)
    where[record_id] = what
    while len(where) > MOST_REMEMBERED:
        del where[next(iter(where))]
