"""Rules for one attempt to deliver a record: what the receiver's answer means, and what follows from it.

Invariant: pure. Whether the receiver may have stored the record is never guessed.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from random import Random

from genesys_gateway.domain.outbox import REFUSED_WITH, TRIED_TOO_LONG, Delivered, GiveUp, TryAgain
from genesys_gateway.runtime.backoff import full_jitter

#: Minimum number of attempts before an entry is given up. A jump of the clock alone gives up no entry.
LEAST_ATTEMPTS = 5
#: Maximum time, in seconds, that a ``Retry-After`` is obeyed.
LONGEST_HOLD = 3600.0


class Outcome(Enum):
    """How one attempt ended."""

    #: the receiver has the record
    STORED = auto()
    #: the receiver wants it later, and has stored nothing
    LATER = auto()
    #: no connection: nothing has reached the receiver
    UNREACHED = auto()
    #: the receiver may have the record or not
    UNKNOWN = auto()
    #: the receiver does not accept the gateway's credentials (401)
    MISDEPLOYED = auto()
    #: 403, 404 or a redirect: about the deployment if other records meet it, too, else about this record
    TURNED_AWAY = auto()
    #: the receiver refused this record
    REFUSED = auto()


#: Outcomes of transient failures, after which the same record may succeed later.
TRANSIENT = frozenset({Outcome.LATER, Outcome.UNREACHED, Outcome.UNKNOWN})

_STATUS = re.compile(r"HTTP (\d{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An outcome, with details from the receiver's answer."""

    outcome: Outcome
    #: for logs and people; holds no personal data
    error: str | None = None
    #: ``Retry-After`` in seconds, if the receiver sent one
    retry_after: float | None = None
    #: whether this is the result of a lookup, not of sending the record
    from_lookup: bool = False

    @property
    def in_doubt(self) -> bool:
        """Whether the receiver may have the record although it has not confirmed it."""
        if self.outcome is Outcome.STORED:
            return False
        return self.from_lookup or self.outcome is Outcome.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Back-off between attempts and the limit for giving up, all in milliseconds."""

    base_ms: int
    max_ms: int
    limit_ms: int


def of_post(status: int, retry_after: float | None = None) -> Result:
    """The meaning of a status that answers a POST of the record; ``retry_after`` in seconds."""
    error = f"HTTP {status}"
    if 200 <= status < 300 or status == 409:
        return Result(outcome=Outcome.STORED)
    if status in (408, 425, 429):
        return Result(outcome=Outcome.LATER, error=error, retry_after=retry_after)
    if status == 401:
        return Result(outcome=Outcome.MISDEPLOYED, error=error, retry_after=retry_after)
    if status in (403, 404) or 300 <= status < 400:
        return Result(outcome=Outcome.TURNED_AWAY, error=error, retry_after=retry_after)
    if 400 <= status < 500:
        return Result(outcome=Outcome.REFUSED, error=error)
    return Result(outcome=Outcome.UNKNOWN, error=error, retry_after=retry_after)


def of_lookup(status: int, retry_after: float | None = None) -> Result | None:
    """The meaning of a status that answers a lookup; None if the record may be sent. ``retry_after`` in seconds."""
    if status == 200:
        return Result(outcome=Outcome.STORED, from_lookup=True)
    if status in (403, 404, 405, 501):
        return None
    outcome = Outcome.UNKNOWN if status >= 500 else Outcome.LATER
    return Result(outcome=outcome, error=f"lookup: HTTP {status}", retry_after=retry_after, from_lookup=True)


def of_error(error: str | None) -> Result:
    """The result of an attempt that ended with this error, as a timeline holds it; None if it succeeded."""
    if error is None:
        return Result(outcome=Outcome.STORED)
    status = _STATUS.fullmatch(error)
    return of_post(int(status[1])) if status else Result(outcome=Outcome.UNKNOWN, error=error)


def decide(
    result: Result, *, attempt: int, waited_ms: int, policy: Policy, random: Random, flowing: bool, to_blame: bool
) -> Delivered | TryAgain | GiveUp:
    """Decide what follows from an attempt.

    Args:
        result: Result of this attempt.
        attempt: Its number, from 1.
        waited_ms: Sum of the planned waits before it. A jump of the clock does not change planned waits.
        policy: Back-off and limit.
        random: For full jitter.
        flowing: Whether the circuit breaker lets records flow after this result. If not, the failure may not be the
            entry's own: it is never given up, and the wait does not count.
        to_blame: Whether the entry was turned away often enough, while others got through, to be given up for it.
            Until then it is tried again without limit, and the wait does not count.
    """
    if result.outcome is Outcome.STORED:
        return Delivered()
    error = result.error or result.outcome.name.lower()
    turned_away = result.outcome is Outcome.TURNED_AWAY
    if flowing and (result.outcome is Outcome.REFUSED or (turned_away and to_blame)):
        return GiveUp(reason=f"{REFUSED_WITH}{error}", in_doubt=False, error=error)
    counts = flowing and not turned_away
    if counts and attempt >= LEAST_ATTEMPTS and waited_ms >= policy.limit_ms:
        return GiveUp(reason=TRIED_TOO_LONG, in_doubt=result.in_doubt, error=error)
    after_ms = round(full_jitter(random, policy.base_ms, policy.max_ms, attempt - 1))
    if result.retry_after is not None:
        after_ms = max(after_ms, round(min(result.retry_after, LONGEST_HOLD) * 1000))
    return TryAgain(after_ms=after_ms, counted_ms=after_ms if counts else 0, in_doubt=result.in_doubt, error=error)
