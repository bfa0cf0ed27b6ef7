"""Keeps account of what is wrong with the receiver, since when and by which answer, for operators.

Invariant: pure, and it decides nothing about deliveries. The first success ends every trouble. Times are monotonic
seconds, passed in by the caller.
"""

from dataclasses import dataclass, field
from enum import Enum

from genesys_gateway.delivery.outcome import TRANSIENT, Outcome, Result

#: Seconds of failures without a success after which they are shown although too few records wait to prove anything.
SHOWN_AFTER = {"down": 3.0, "misdeployed": 5.0}
#: Maximum number of records counted for one trouble.
MOST_COUNTED = 1_000


class Kind(Enum):
    """What may be wrong with the receiver."""

    #: it can't be reached, answers in no time, or answers that it can't now (5xx, 408, 425, 429)
    DOWN = "down"
    #: it turns records away because of address or credentials (401, 403, 404, a redirect)
    MISDEPLOYED = "misdeployed"
    #: it refuses different records alike
    REFUSES = "refuses"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverTrouble:
    """One thing that is wrong with the receiver now. Times are monotonic seconds."""

    kind: Kind
    #: when the first attempt that met it began
    since: float
    #: when the latest attempt that met it ended; a later success of any instance shows it over
    failed_at: float
    #: the answer, or why there was none
    error: str
    #: number of different records that met it
    records: int


@dataclass(slots=True, kw_only=True)
class _Row:
    """Failures of one kind in a row, without a success between."""

    since: float
    failed_at: float
    error: str
    #: ids of the records that failed; an ordered set
    records: dict[str, None] = field(default_factory=dict)


class ReceiverTroubles:
    """Counts the failures since the last success by what they speak of."""

    def __init__(self) -> None:
        self._rows: dict[Kind, _Row] = {}
        #: when the wait began that the receiver demands for all records
        self._held_since = 0.0

    def note(self, record_id: str, result: Result, *, began: float, now: float, counts: bool) -> None:
        """Note the result of one attempt.

        Args:
            counts: Whether it says something about the receiver, and not only about its record.
        """
        if result.outcome is Outcome.STORED:
            self._rows.clear()
            return
        kind, error = _kind(result.outcome), (result.error or result.outcome.name.lower()).removeprefix("lookup: ")
        if result.outcome in (Outcome.REFUSED, Outcome.MISDEPLOYED):
            self._rows.pop(Kind.DOWN, None)  # it answers
        if not counts and result.outcome is not Outcome.UNREACHED:  # no record keeps a connection from being made
            return
        row = self._rows.get(kind)
        if row is None or (kind is Kind.REFUSES and row.error != error):
            row = self._rows[kind] = _Row(since=began, failed_at=now, error=error)
        row.failed_at, row.error = now, error
        if len(row.records) < MOST_COUNTED:
            row.records[record_id] = None

    def hold(self, now: float) -> None:
        """Note that the receiver demands from now on that all records wait."""
        self._held_since = now

    def flows(self, outcome: Outcome) -> None:
        """Note that deliveries flow again after an answer with that outcome, which may be a refusal."""
        for kind in [one for one in self._rows if one is not _kind(outcome)]:
            del self._rows[kind]

    def forget(self, record_id: str) -> None:
        """Forget the failures of a record that was given up. Its refusal still counts: it is given up because of it."""
        for kind in (Kind.DOWN, Kind.MISDEPLOYED):
            row = self._rows.get(kind)
            if row is not None:
                row.records.pop(record_id, None)
                if not row.records:
                    del self._rows[kind]

    def found(self, proven: Kind | None, *, held_until: float, now: float) -> list[ReceiverTrouble]:
        """What is wrong now.

        Args:
            proven: What the circuit breaker has stopped deliveries for; None while they flow.
            held_until: End of the wait that the receiver demands for all records.
        """
        found = [
            ReceiverTrouble(
                kind=kind, since=row.since, failed_at=row.failed_at, error=row.error, records=len(row.records)
            )
            for kind, row in self._rows.items()
            if kind is proven or now - row.since >= SHOWN_AFTER.get(kind.value, float("inf"))
        ]
        if not found and held_until > now:
            error = f"it asks all records to wait {round(held_until - now)} s"
            found.append(ReceiverTrouble(kind=Kind.DOWN, since=self._held_since, failed_at=now, error=error, records=0))
        return found


def _kind(outcome: Outcome) -> Kind:
    if outcome in TRANSIENT:
        return Kind.DOWN
    return Kind.REFUSES if outcome is Outcome.REFUSED else Kind.MISDEPLOYED
