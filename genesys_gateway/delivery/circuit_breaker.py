"""Circuit breaker for CommunicationHistory: decides whether records may be sent now.

Invariant: the table below holds every transition; a pair that is not in it raises and moves nothing. What the answers
to single records say about the receiver is judged by ``evidence``; each probe is another record, where there is one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from genesys_gateway.delivery.evidence import Evidence, Signal
from genesys_gateway.delivery.outcome import Policy, Result, of_error
from genesys_gateway.delivery.receiver_trouble import Kind, ReceiverTrouble, ReceiverTroubles
from genesys_gateway.domain.outbox import AttemptEnd
from genesys_gateway.runtime.backoff import ceiling

#: Maximum number of remembered probes.
MOST_PROBES = 10_000
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

#: What a signal proves to be wrong with the receiver.
_PROVEN = {
    Signal.OUTAGE: Kind.DOWN,
    Signal.MISDEPLOYED: Kind.MISDEPLOYED,
    Signal.REFUSED_ALIKE: Kind.REFUSES,
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
    #: seconds for which a ``Retry-After`` now holds all records, if this result has prolonged that
    held: float | None = None

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
        #: what stopped the flow of records; None while they flow
        self._proven: Kind | None = None
        self._troubles = ReceiverTroubles()
        # After the longest back-off each record that waits was tried at least once.
        self._evidence = Evidence(patience=self._max)
        #: number of probes since the last change of state
        self._probes = 0
        #: when the next probe may be sent
        self._probe_at = 0.0
        self._probes_ever = 0
        #: number of each record's last probe since deliveries last flowed, from 1, in this order
        self._probed: dict[str, int] = {}

    @property
    def flowing(self) -> bool:
        """Whether any number of records may be sent, once :meth:`wait` returns 0."""
        return self.state is State.FLOWING

    def wait(self, now: float) -> float | None:
        """Seconds until a record may be sent, 0 for now; None while a probe is under way."""
        if self.state in (State.HALF_OPEN, State.PROBING):
            return None
        return max(0.0, self._allowed_at - now)

    def overdue(self, now: float) -> float:
        """Seconds since a record has been allowed to be sent; negative before."""
        return now - self._allowed_at

    def probe_rank(self, record_id: str) -> int:
        """How late this record comes as a probe: first those without a failure, last the one probed last."""
        return self._probed.get(record_id, 0 if self._evidence.failed_last(record_id) else -1)

    def blames(self, record_id: str, now: float) -> bool:
        """Whether this record was turned away often enough, while others got through, to be given up for it."""
        return self._evidence.blames(record_id, now)

    def forget(self, record_id: str) -> None:
        """Forget what was counted against a record that was given up."""
        self._evidence.forget(record_id)
        self._troubles.forget(record_id)

    def troubles(self, now: float) -> list[ReceiverTrouble]:
        """What is wrong with the receiver, as far as attempts have shown it since the last success."""
        return self._troubles.found(self._proven, held_until=self._evidence.held_until, now=now)

    def remember(self, ends: Iterable[AttemptEnd], now: float) -> None:
        """Continue the counts of an earlier process, from how its latest attempts ended, oldest first."""
        for end in ends:
            self._evidence.remember([end], now)
            self._note(end.record_id, of_error(end.error), None, began=now, now=now)
            if end.dead:
                self._troubles.forget(end.record_id)

    def begin_probe(self, record_id: str) -> None:
        """Allow one attempt of this record while broken or paused; :meth:`end_probe` must follow it.

        Raises:
            LookupError: Deliveries flow, or a probe is under way.
        """
        self.state = move(self.state, Signal.PROBE_BEGAN)
        self._probes_ever += 1
        self._probed.pop(record_id, None)
        self._probed[record_id] = self._probes_ever
        if len(self._probed) > MOST_PROBES:
            del self._probed[next(iter(self._probed))]

    def end_probe(self, now: float) -> None:
        """End the probe. Does nothing if a result has ended the state since :meth:`begin_probe`."""
        if self.state in (State.HALF_OPEN, State.PROBING):
            self.state = move(self.state, Signal.PROBE_ENDED)
            self._probes += 1
            self._probe_at = now + self._interval()

    def report(self, record_id: str, result: Result, now: float, *, began: float | None = None) -> Transition:
        """Record the result of one attempt, and return what it changed.

        Args:
            began: When the attempt began; without it just now.
        """
        before, held_before = self.state, self._evidence.held_until
        signal = self._evidence.count(record_id, result, now)
        if signal is not None:
            self.state = move(before, signal)
        if self.state is not before:
            self._state_changed(now, result, signal)
        revive: tuple[str, ...] = ()
        if signal is Signal.REFUSED_ALIKE and (revive := self._evidence.to_revive()):
            # This is the reason of the pause from now on, even if something else caused it.
            self.trouble, self._proven = result.error, Kind.REFUSES
        self._note(record_id, result, signal, began=now if began is None else began, now=now)
        held_until = self._evidence.held_until
        held = held_until - now if held_until > held_before else None
        if held is not None and held_before <= now:
            self._troubles.hold(now)
        return Transition(before=before, after=self.state, revive=revive, held=held)

    def _note(self, record_id: str, result: Result, signal: Signal | None, *, began: float, now: float) -> None:
        counts = signal in _PROVEN or not self._evidence.suspects(record_id)
        self._troubles.note(record_id, result, began=began, now=now, counts=counts)

    def _state_changed(self, now: float, result: Result, signal: Signal | None) -> None:
        self._probes = 0
        if self.flowing:
            self._probed.clear()
            self._troubles.flows(result.outcome)
        self.trouble = None if self.flowing else result.error
        self._proven = _PROVEN.get(signal) if signal is not None else None
        self._probe_at = now + self._interval()

    @property
    def _allowed_at(self) -> float:
        held_until = self._evidence.held_until
        return held_until if self.flowing else max(held_until, self._probe_at)

    def _interval(self) -> float:
        if self.state is State.PAUSED:
            return self._max
        return ceiling(self._base, max(self._base, self._max / _PROBES_PER_MAX), self._probes)
