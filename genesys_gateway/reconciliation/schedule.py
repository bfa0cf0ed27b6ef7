"""When Genesys is asked about a conversation next.

Law: pure. While a gap is in doubt the questions start close together and thin out towards the moment at which analytics
are complete; without a doubt they thin out, for ever, to one an hour.
"""

from genesys_gateway.runtime.backoff import ceiling
from genesys_gateway.runtime.clock import HOUR_SECONDS, SKEW_MS

#: Of the time that analytics take to settle: the period of the first questions after a gap.
_FIRST = 1 / 40

#: Of the time since the gap: the period later on.
_LATER = 1 / 4

#: So many first periods a conversation may be unknown to Genesys, by default an hour.
_UNKNOWN_PERIODS = 30


def furthest(now: int, *, quiet_seconds: float, reconcile_seconds: float, settle_seconds: float) -> int:
    """The moment (epoch milliseconds) beyond which no question is ever planned: a later date is a wrong clock's."""
    return now + round(max(HOUR_SECONDS, quiet_seconds, reconcile_seconds, settle_seconds) * 1000) + SKEW_MS


def unknown_for_long(reconcile_seconds: float) -> float:
    """Seconds after which it is worth telling that Genesys does not know a conversation; an hour at most."""
    return min(HOUR_SECONDS, _UNKNOWN_PERIODS * reconcile_seconds)


def next_question(
    now: int, *, asked: int, doubt_since: int | None, reconcile_seconds: float, settle_seconds: float
) -> int:
    """The moment of the next question (epoch milliseconds).

    Args:
        now: Epoch milliseconds.
        asked: How many questions there were in this stage.
        doubt_since: When the gap in doubt ended; None when nothing is in doubt or it has not ended.
        reconcile_seconds: First period of the routine questions; it doubles.
        settle_seconds: How long analytics may be incomplete.
    """
    if doubt_since is None:
        return now + round(ceiling(reconcile_seconds, HOUR_SECONDS, asked) * 1000)
    settle_ms = round(settle_seconds * 1000)
    age = max(now - doubt_since, 0)
    wait = round(min(max(settle_ms * _FIRST, age * _LATER), settle_ms))
    settled_at = doubt_since + settle_ms
    return min(now + wait, settled_at) if now < settled_at else now + wait
