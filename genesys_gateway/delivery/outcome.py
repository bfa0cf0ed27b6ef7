"""How an attempt to deliver a record ended, and what follows from it.

Invariant: pure. Whether the receiver may have stored the record is never guessed.
"""

from dataclasses import dataclass
from enum import Enum, auto
from random import Random

from genesys_gateway.domain.outbox import REFUSED_WITH, TRIED_TOO_LONG, Delivered, GiveUp, TryAgain
from genesys_gateway.runtime.backoff import full_jitter

#: An entry is given up only after this many attempts, whatever a clock says.
LEAST_ATTEMPTS = 5


class Outcome(Enum):
    """How one attempt ended."""

    #: the receiver has the record
    STORED = auto()
    #: the receiver asks to come later, and has stored nothing
    LATER = auto()
    #: the receiver has seen nothing
    UNREACHED = auto()
    #: nobody knows whether the receiver has it
    UNKNOWN = auto()
    #: the receiver's answer speaks of address or credentials, not of this record
    MISDEPLOYED = auto()
    #: the receiver does not want this record
    REFUSED = auto()


#: Outcomes that may pass by themselves.
PASSING = frozenset({Outcome.LATER, Outcome.UNREACHED, Outcome.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An outcome with what the receiver said."""

    outcome: Outcome
    #: what to show people; no personal data
    error: str | None = None
    #: seconds the receiver asked us to wait
    retry_after: float | None = None
    #: whether this came from asking about the record instead of sending it
    from_lookup: bool = False

    @property
    def in_doubt(self) -> bool:
        """Whether the receiver may have the record although nobody was told so."""
        if self.outcome is Outcome.STORED:
            return False
        return self.from_lookup or self.outcome is Outcome.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long to go on; all in milliseconds."""

    base_ms: int
    max_ms: int
    limit_ms: int


def of_post(status: int, retry_after: float | None = None) -> Result:
    """What the status of an answer to the record means."""
    error = f"HTTP {status}"
    if 200 <= status < 300 or status == 409:
        return Result(outcome=Outcome.STORED)
    if status in (408, 425, 429):
        return Result(outcome=Outcome.LATER, error=error, retry_after=retry_after)
    if status in (401, 403, 404) or 300 <= status < 400:
        return Result(outcome=Outcome.MISDEPLOYED, error=error)
    if 400 <= status < 500:
        return Result(outcome=Outcome.REFUSED, error=error)
    return Result(outcome=Outcome.UNKNOWN, error=error, retry_after=retry_after)


def of_lookup(status: int, retry_after: float | None = None) -> Result | None:
    """What the status of an answer to "do you have it" means; None: nothing speaks against sending it again."""
    if status == 200:
        return Result(outcome=Outcome.STORED, from_lookup=True)
    if status in (403, 404, 405, 501):
        return None
    outcome = Outcome.UNKNOWN if status >= 500 else Outcome.LATER
    return Result(outcome=outcome, error=f"lookup: HTTP {status}", retry_after=retry_after, from_lookup=True)


def decide(
    result: Result, *, attempt: int, waited_ms: int, policy: Policy, random: Random, flowing: bool
) -> Delivered | TryAgain | GiveUp:
    """What follows from an attempt.

    Args:
        result: Of this attempt.
        attempt: Its number, from 1.
        waited_ms: Sum of the waits before it. A sum of planned waits can't be moved by a clock that jumps.
        policy: How long to go on.
        random: For full jitter.
        flowing: Whether deliveries go on normally after this result; otherwise nothing is held against the entry.
    """
    if result.outcome is Outcome.STORED:
        return Delivered()
    error = result.error or result.outcome.name.lower()
    if flowing and result.outcome is Outcome.REFUSED:
        return GiveUp(reason=f"{REFUSED_WITH}{error}", in_doubt=False, error=error)
    if flowing and attempt >= LEAST_ATTEMPTS and waited_ms >= policy.limit_ms:
        return GiveUp(reason=TRIED_TOO_LONG, in_doubt=result.in_doubt, error=error)
    after_ms = round(full_jitter(random, policy.base_ms, policy.max_ms, attempt - 1))
    if result.retry_after is not None:
        after_ms = max(after_ms, min(policy.max_ms, round(result.retry_after * 1000)))
    return TryAgain(after_ms=after_ms, counted_ms=after_ms if flowing else 0, in_doubt=result.in_doubt, error=error)
