"""One attempt: build the record of a claimed entry, look it up if it may have arrived already, and send it.

Invariant: a call starts only if it will end before its claim does, and nothing is sent while an earlier outcome is
unknown.
"""

from collections.abc import Callable
from typing import Protocol

from genesys_gateway.delivery.circuit_breaker import CircuitBreaker, Transition
from genesys_gateway.delivery.outcome import Outcome, Policy, Result, decide
from genesys_gateway.domain import record
from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.outbox import INVALID, UNREADABLE, Decision, GiveUp, NotBegun
from genesys_gateway.domain.record_schema import mistakes
from genesys_gateway.runtime import tracing
from genesys_gateway.runtime.clock import Deadline
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage.statements.claims import Claim

log = get_logger(__name__)


class Receiver(Protocol):
    """CommunicationHistory as an attempt uses it; each call takes at most GATEWAY_HTTP_TIMEOUT_SECONDS."""

    def post(self, record: record.Record) -> Result:
        """Send a record."""

    def lookup(self, record_id: str) -> Result | None:
        """Look up whether the record is stored; None means that it may be sent."""


class Sender:
    """Makes attempts, any number at a time, and reports each result to the circuit breaker.

    Args:
        breaker_changed: Called when a result has moved the circuit breaker or revives records; must not wait.
    """

    def __init__(
        self,
        history: Receiver,
        breaker: CircuitBreaker,
        policy: Policy,
        settings: Settings,
        runtime: Runtime,
        *,
        breaker_changed: Callable[[Transition], None],
    ) -> None:
        self._history = history
        self._breaker = breaker
        self._policy = policy
        self._call_seconds = settings.http_timeout_seconds
        self._rules = record.Rules(domain_by_queue=settings.domain_by_queue, default_country=settings.default_country)
        self._clock = runtime.clock
        self._logger = SampledLog(log, self._clock)
        self._metrics = runtime.metrics
        self._random = runtime.random
        self._breaker_changed = breaker_changed

    def attempt(self, claim: Claim, lease: Deadline, *, probe: bool) -> Decision:
        """Make one attempt and return what follows from it; takes at most the time of two calls.

        Never raises: after an unexpected error the outcome counts as unknown.

        Args:
            claim: The right to make it.
            lease: The time for which the claim is sure to hold.
            probe: Whether this is the one record that may be sent while the circuit breaker is broken or paused.
        """
        try:
            if not probe and self._breaker.wait(self._clock.monotonic()) != 0:
                return NotBegun()
            if (tracer := tracing.active()) is not None:
                return self._traced(tracer, claim, lease)
            return self._attempt(claim, lease)
        except Exception:
            self._logger.exception("attempt_failed_unexpectedly", **claim.ids)
            return self._decide(claim, Result(outcome=Outcome.UNKNOWN, error="internal error"))
        finally:
            if probe:
                self._breaker.end_probe(self._clock.monotonic())

    def _traced(self, tracer: tracing.Tracer, claim: Claim, lease: Deadline) -> Decision:
        with tracer.attempt((claim.entry.conversation_id, claim.entry.id), claim.attempt) as span:
            decision = self._attempt(claim, lease)
            span.conclude(type(decision).__name__, getattr(decision, "error", None))
            return decision

    def _attempt(self, claim: Claim, lease: Deadline) -> Decision:
        built = self._build(claim)
        if isinstance(built, GiveUp):
            return built
        result, began = None, self._clock.monotonic()
        if claim.entry.in_doubt:
            if lease.left() < self._call_seconds:
                return NotBegun()
            result = self._history.lookup(claim.entry.id)
            reach("looked_up")
        if result is None:
            if lease.left() < self._call_seconds:
                return NotBegun()
            reach("before_post")
            result = self._history.post(built)
            reach("posted")
        return self._conclude(claim, result, began)

    def _build(self, claim: Claim) -> record.Record | GiveUp:
        entry = claim.entry
        try:
            event, known = AcwEvent.from_json(entry.content or ""), claim.known
        except (ValueError, TypeError, AttributeError):
            return GiveUp(reason=UNREADABLE, in_doubt=entry.in_doubt, error="content")
        built = record.build(entry.id, event, entry.source, entry.stored_at, known, self._rules)
        if wrong := mistakes(built):
            return GiveUp(reason=INVALID, in_doubt=entry.in_doubt, error=", ".join(wrong))
        return built

    def _conclude(self, claim: Claim, result: Result, began: float) -> Decision:
        if result.outcome is Outcome.UNKNOWN and not result.from_lookup:
            self._metrics.deliveries_ambiguous.inc()
        now = self._clock.monotonic()
        transition = self._breaker.report(claim.entry.id, result, now, began=began)
        if transition.before is not transition.after or transition.revive:
            self._breaker_changed(transition)
        if transition.held is not None:
            self._logger.warning("delivery_held", seconds=round(transition.held), error=result.error)
        decision = self._decide(claim, result, to_blame=self._breaker.blames(claim.entry.id, now))
        if isinstance(decision, GiveUp):
            self._breaker.forget(claim.entry.id)
        return decision

    def _decide(self, claim: Claim, result: Result, *, to_blame: bool = False) -> Decision:
        return decide(
            result,
            attempt=claim.attempt,
            waited_ms=claim.entry.waited_ms if claim.entry.attempt else 0,
            policy=self._policy,
            random=self._random,
            flowing=self._breaker.flowing,
            to_blame=to_blame,
        )
