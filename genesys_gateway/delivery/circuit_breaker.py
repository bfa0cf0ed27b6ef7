"""Whether records may be sent at all: one receiver, one lane.

Law: the table below is all there is; a pair that is not in it raises and moves nothing. Trouble of single records
never stops the lane: only trouble that several different records met in a row does, and a record that failed while
others got through says nothing about the receiver any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from genesys_gateway.delivery.outcome import PASSING, Outcome, Policy, Result
from genesys_gateway.runtime.backoff import ceiling

#: So many different records in a row failed: it is the receiver, not they.
BREAK_AFTER = 5
#: So many different records in a row were refused with the same status: the receiver's rule is wrong, not they.
PAUSE_AFTER = 10
#: Records remembered at most as having failed while others got through.
_MAX_SUSPECTS = 10_000
#: No answer may keep the lane still for longer, in seconds.
LONGEST_HOLD = 3600.0
#: An outage is tested at least this many times within the longest back-off of a record.
_PROBES_PER_MAX = 10


class State(Enum):
    """How the lane is."""

    FLOWING = "flowing"
    #: the receiver is down; nothing is sent until it is time for a test
    BROKEN = "broken"
    #: one record is under way to see whether the receiver is back
    HALF_OPEN = "half_open"
    #: address, credentials or rules are wrong and somebody has to mend them
    PAUSED = "paused"
    #: one record is under way to see whether they were mended
    PROBING = "probing"


class Signal(Enum):
    """What moves the lane."""

    SUCCEEDED = "succeeded"
    #: the receiver answered and did not want one record
    REFUSED = "refused"
    #: and refused many others alike
    REFUSED_ALIKE = "refused_alike"
    #: several different records failed in a row
    OUTAGE = "outage"
    MISDEPLOYED = "misdeployed"
    PROBE_BEGAN = "probe_began"
    #: the one record is back, and none of the above has decided
    PROBE_ENDED = "probe_ended"


#: Answers that were still under way when the lane changed arrive in every state.
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
        LookupError: This can't happen in that state.
    """
    try:
        return TABLE[state, signal]
    except KeyError:
        raise LookupError(f"a {state.value} lane can't meet {signal.value}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What a report changed."""

    before: State
    after: State
    #: records that were refused only because everything was, and deserve another chance
    revive: tuple[str, ...] = ()

    @property
    def resumed(self) -> bool:
        """Whether what waits is due at once."""
        return self.after is State.FLOWING and self.before is not State.FLOWING


class CircuitBreaker:
    """The state, and the counts that raise its signals. Times are monotonic seconds, given by the caller.

    Args:
        policy: The same back-off that records have.
    """

    def __init__(self, policy: Policy) -> None:
        self._base = policy.base_ms / 1000
        self._max = policy.max_ms / 1000
        self.state = State.FLOWING
        #: why it does not flow, for people
        self.trouble: str | None = None
        self._failed: set[str] = set()
        #: in the order in which they were found out
        self._suspects: dict[str, None] = {}
        #: in order, and all with the same error
        self._refused: dict[str, None] = {}
        self._refused_with: str | None = None
        #: whether they had their other chance
        self._revived = False
        self._probes = 0
        self._probe_at = 0.0
        self._held_until = 0.0

    @property
    def flowing(self) -> bool:
        """Whether any number of records may be sent (:meth:`wait` permitting)."""
        return self.state is State.FLOWING

    def wait(self, now: float) -> float | None:
        """Seconds until a record may be sent, 0 for now; None while the one that is allowed is under way."""
        if self.state in (State.HALF_OPEN, State.PROBING):
            return None
        until = self._held_until if self.flowing else max(self._held_until, self._probe_at)
        return max(0.0, until - now)

    def remember(self, refused: Iterable[tuple[str, str]]) -> None:
        """Count on where an earlier process stopped: these were refused one after the other, all with that answer."""
        for record_id, error in refused:
            self._refused[record_id], self._refused_with = None, error

    def begin_probe(self) -> None:
        """The one record that a lane which does not flow may send is on its way; :meth:`end_probe` must follow."""
        self.state = move(self.state, Signal.PROBE_BEGAN)

    def end_probe(self, now: float) -> None:
        """That record is back. Does nothing when its result has moved the lane already."""
        if self.state in (State.HALF_OPEN, State.PROBING):
            self.state = move(self.state, Signal.PROBE_ENDED)
            self._probes += 1
            self._probe_at = now + self._interval()

    def report(self, record_id: str, result: Result, now: float) -> Transition:
        """Take in the result of one attempt."""
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
            # Whatever paused it before, this does now.
            self._revived, self.trouble, revive = True, result.error, tuple(self._refused)
        return Transition(before=before, after=self.state, revive=revive)

    def _signal(self, record_id: str, result: Result) -> Signal | None:
        if result.outcome in PASSING:
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
