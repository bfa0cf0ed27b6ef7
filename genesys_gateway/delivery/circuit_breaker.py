"""Circuit breaker for CommunicationHistory: decides whether records may be sent now.

Invariant: the table below holds every transition; a pair that is not in it raises and moves nothing. Failures stop
deliveries only when several different records fail in a row. A record that failed while others got through no longer
counts as evidence about the receiver.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from genesys_gateway.delivery.outcome import TRANSIENT, Outcome, Policy, Result
from genesys_gateway.runtime.backoff import ceiling

#: Number of different records that have to fail in a row until the receiver counts as down.
BREAK_AFTER = 5
#: Number of different records that have to be refused in a row, with the same status, until the receiver's rule counts
#: as wrong, not the records.
PAUSE_AFTER = 10
#: Maximum number of remembered records that failed while others got through.
_MAX_SUSPECTS = 10_000
#: Maximum wait taken from a ``Retry-After``, in seconds.
LONGEST_HOLD = 3600.0
#: Minimum number of probes during an outage, within the longest back-off of a record.
_PROBES_PER_MAX = 10


class State(Enum):
    """State of the circuit breaker."""

    #: any number of records may be sent
    FLOWING = "flowing"
    #: the receiver is down; nothing is sent until the next probe
    BROKEN = "broken"
    #: a probe is under way that shows whether the receiver is back
    HALF_OPEN = "half_open"
    #: address, credentials or rules are wrong and a person has to correct them
    PAUSED = "paused"
    #: a probe is under way that shows whether they were corrected
    PROBING = "probing"


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
    #: an answer was about address or credentials
    MISDEPLOYED = "misdeployed"
    PROBE_BEGAN = "probe_began"
    #: the probe's attempt is over, and no other signal has ended the state
    PROBE_ENDED = "probe_ended"


#: Attempts that were under way at a change of state may end in any later state, so every state accepts their signals.
TABLE: dict[tuple[State, Signal], State] = {
    (State.FLOWING, Signal.SUCCEEDED): State.FLOWING,
    (State.FLOWING, Signal.REFUSED): State.FLOWING,
    (State.FLOWING, Signal.REFUSED_ALIKE): State.PAUSED,
    (State.FLOWING, Signal.OUTAGE): State.BROKEN,
    (State.FLOWING, Signal.MISDEPLOYED): State.PAUSED,
    (State.BROKEN, Signal.SUCCEEDED): State.FLOWING,
    (State.BROKEN, Signal.REFUSED): State.FLOWING,
    (State.BROKEN, Signal.REFUSED_ALIKE): State.PAUSED,
    (State.BROKEN, Signal.OUTAGE): State.BROKEN,
    (State.BROKEN, Signal.MISDEPLOYED): State.PAUSED,
    (State.BROKEN, Signal.PROBE_BEGAN): State.HALF_OPEN,
    (State.HALF_OPEN, Signal.SUCCEEDED): State.FLOWING,
    (State.HALF_OPEN, Signal.REFUSED): State.FLOWING,
    (State.HALF_OPEN, Signal.REFUSED_ALIKE): State.PAUSED,
    (State.HALF_OPEN, Signal.OUTAGE): State.HALF_OPEN,
    (State.HALF_OPEN, Signal.MISDEPLOYED): State.PAUSED,
    (State.HALF_OPEN, Signal.PROBE_ENDED): State.BROKEN,
    (State.PAUSED, Signal.SUCCEEDED): State.FLOWING,
    (State.PAUSED, Signal.REFUSED): State.PAUSED,
    (State.PAUSED, Signal.REFUSED_ALIKE): State.PAUSED,
    (State.PAUSED, Signal.OUTAGE): State.PAUSED,
    (State.PAUSED, Signal.MISDEPLOYED): State.PAUSED,
    (State.PAUSED, Signal.PROBE_BEGAN): State.PROBING,
    (State.PROBING, Signal.SUCCEEDED): State.FLOWING,
    (State.PROBING, Signal.REFUSED): State.FLOWING,
    (State.PROBING, Signal.REFUSED_ALIKE): State.PROBING,
    (State.PROBING, Signal.OUTAGE): State.PROBING,
    (State.PROBING, Signal.MISDEPLOYED): State.PROBING,
    (State.PROBING, Signal.PROBE_ENDED): State.PAUSED,
}


def move(state: State, signal: Signal) -> State:
    """The next state.

    Raises:
        LookupError: This signal is not possible in that state.
    """
    try:
        return TABLE[state, signal]
    except KeyError:
        raise LookupError(f"{signal.value} is not possible while {state.value}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What the result of an attempt changed."""

    before: State
    after: State
    #: ids of records that were refused only because the receiver refused everything; they are to be sent again
    revive: tuple[str, ...] = ()

    @property
    def resumed(self) -> bool:
        """Whether deliveries flow again, so that everything waiting is due now."""
        return self.after is State.FLOWING and self.before is not State.FLOWING


class CircuitBreaker:
    """The state, and the counts that raise its signals. Times are monotonic seconds, passed in by the caller.

    Args:
        policy: The back-off of records, from which the intervals between probes are derived.
    """

    def __init__(self, policy: Policy) -> None:
        self._base = policy.base_ms / 1000
        self._max = policy.max_ms / 1000
        self.state = State.FLOWING
        #: why records do not flow, for logs and people; None while they do
        self.trouble: str | None = None
        #: ids of the records that failed in a row, at most BREAK_AFTER
        self._failed: set[str] = set()
        #: ids of records that failed while others got through, oldest first; an ordered set
        self._suspects: dict[str, None] = {}
        #: ids of the records refused in a row, oldest first, all with the same error; an ordered set
        self._refused: dict[str, None] = {}
        self._refused_with: str | None = None
        #: whether the records in ``_refused`` were revived already
        self._revived = False
        #: number of probes since the last change of state
        self._probes = 0
        #: when the next probe may be sent
        self._probe_at = 0.0
        #: end of the wait that the receiver demanded
        self._held_until = 0.0

    @property
    def flowing(self) -> bool:
        """Whether any number of records may be sent, once :meth:`wait` returns 0."""
        return self.state is State.FLOWING

    def wait(self, now: float) -> float | None:
        """Seconds until a record may be sent, 0 for now; None while a probe is under way."""
        if self.state in (State.HALF_OPEN, State.PROBING):
            return None
        until = self._held_until if self.flowing else max(self._held_until, self._probe_at)
        return max(0.0, until - now)

    def remember(self, refused: Iterable[tuple[str, str]]) -> None:
        """Continue the count of an earlier process.

        Args:
            refused: Ids of the records refused in a row, oldest first, each with its error; all errors are the same.
        """
        for record_id, error in refused:
            self._refused[record_id], self._refused_with = None, error

    def begin_probe(self) -> None:
        """Allow one attempt while broken or paused; :meth:`end_probe` must follow it.

        Raises:
            LookupError: Deliveries flow, or a probe is under way.
        """
        self.state = move(self.state, Signal.PROBE_BEGAN)

    def end_probe(self, now: float) -> None:
        """End the probe. Does nothing if a result has ended the state since :meth:`begin_probe`."""
        if self.state in (State.HALF_OPEN, State.PROBING):
            self.state = move(self.state, Signal.PROBE_ENDED)
            self._probes += 1
            self._probe_at = now + self._interval()

    def report(self, record_id: str, result: Result, now: float) -> Transition:
        """Record the result of one attempt, and return what it changed."""
        if result.retry_after is not None:
            self._held_until = max(self._held_until, now + min(result.retry_after, LONGEST_HOLD))
        before = self.state
        signal = self._signal(record_id, result)
        if signal is not None:
            self.state = move(before, signal)
        if self.state is not before:
            self._state_changed(now, result.error)
        revive: tuple[str, ...] = ()
        if signal is Signal.REFUSED_ALIKE and not self._revived:
            # This is the reason of the pause from now on, even if something else caused it.
            self._revived, self.trouble, revive = True, result.error, tuple(self._refused)
        return Transition(before=before, after=self.state, revive=revive)

    def _signal(self, record_id: str, result: Result) -> Signal | None:
        if result.outcome in TRANSIENT:
            return self._failure(record_id)
        if result.outcome is Outcome.MISDEPLOYED:
            return Signal.MISDEPLOYED
        self._suspects |= dict.fromkeys(self._failed)
        self._failed.clear()
        self._suspects.pop(record_id, None)
        while len(self._suspects) > _MAX_SUSPECTS:
            del self._suspects[next(iter(self._suspects))]
        if result.outcome is Outcome.REFUSED:
            return self._refusal(record_id, result.error)
        self._forget_refusals()
        return Signal.SUCCEEDED

    def _failure(self, record_id: str) -> Signal | None:
        if record_id in self._suspects:
            return None
        if len(self._failed) < BREAK_AFTER:
            self._failed.add(record_id)
        return Signal.OUTAGE if len(self._failed) >= BREAK_AFTER else None

    def _refusal(self, record_id: str, error: str | None) -> Signal:
        if error != self._refused_with:
            self._forget_refusals()
            self._refused_with = error
        if len(self._refused) < PAUSE_AFTER:
            self._refused[record_id] = None
        return Signal.REFUSED_ALIKE if len(self._refused) >= PAUSE_AFTER else Signal.REFUSED

    def _forget_refusals(self) -> None:
        self._refused.clear()
        self._revived = False

    def _state_changed(self, now: float, error: str | None) -> None:
        self._probes = 0
        self.trouble = None if self.flowing else error
        self._probe_at = now + self._interval()

    def _interval(self) -> float:
        if self.state is State.PAUSED:
            return self._max
        return ceiling(self._base, max(self._base, self._max / _PROBES_PER_MAX), self._probes)
