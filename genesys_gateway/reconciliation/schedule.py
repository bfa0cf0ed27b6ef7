"""Decides when Genesys is asked about a conversation next.

Invariant: pure. After a gap the questions start close together and become rarer until analytics are complete. Without a
doubt they become rarer, down to one an hour (HOUR_SECONDS), for as long as the conversation is followed.
"""

from genesys_gateway.runtime.backoff import ceiling
from genesys_gateway.runtime.clock import HOUR_SECONDS, furthest_date

#: Period of the first questions after a gap, as a share of the time that analytics take to settle.
_FIRST = 1 / 40
#: Period of the later questions, as a share of the time since the gap.
_LATER = 1 / 4
#: Number of first routine periods for which a conversation may be unknown to Genesys; by default they make an hour.
_UNKNOWN_PERIODS = 30


def furthest(now: int, *, quiet_seconds: float, reconcile_seconds: float, settle_seconds: float) -> int:
    """The latest moment (epoch milliseconds) for which a question is planned; a later date was set by a wrong clock."""
    return furthest_date(now, HOUR_SECONDS, quiet_seconds, reconcile_seconds, settle_seconds)


def unknown_for_long(reconcile_seconds: float) -> float:
    """Seconds after which a conversation that Genesys answers 404 for is reported; at most an hour."""
    return min(HOUR_SECONDS, _UNKNOWN_PERIODS * reconcile_seconds)


def next_question(
    now: int, *, asked: int, doubt_since: int | None, reconcile_seconds: float, settle_seconds: float
) -> int:
    """The moment of the next question (epoch milliseconds).

    Args:
        now: Epoch milliseconds.
        asked: Number of due questions that were answered since something last happened to the conversation: a
            registration that opened it, an event, the start of its cover, lost frames.
        doubt_since: When the gap in doubt ended (epoch milliseconds); None if nothing is in doubt or the gap lasts.
        reconcile_seconds: First period of the routine questions; it doubles with each.
        settle_seconds: How long analytics may be incomplete.
    """
    if doubt_since is None:
        return now + round(ceiling(reconcile_seconds, HOUR_SECONDS, asked) * 1000)
    settle_ms = round(settle_seconds * 1000)
    age = max(now - doubt_since, 0)
    wait = round(min(max(settle_ms * _FIRST, age * _LATER), settle_ms))
    settled_at = doubt_since + settle_ms
    return min(now + wait, settled_at) if now < settled_at else now + wait
