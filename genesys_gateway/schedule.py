"""When Genesys is asked about a conversation next.

Law: pure. While a gap is in doubt the questions come closer and closer to the moment at which analytics are complete;
otherwise they thin out, for ever, to one an hour.
"""

#: Parts of the time that analytics take to settle, counted from the end of the gap.
_STEPS = (1 / 20, 1 / 10, 1 / 5, 1 / 2.5, 1.0)
#: The longest period between two questions.
HOUR_SECONDS = 3600.0


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
    if doubt_since is not None:
        for step in _STEPS:
            at = doubt_since + round(step * settle_seconds * 1000)
            if at > now:
                return at
        return now + round(settle_seconds * 1000)
    return now + round(min(HOUR_SECONDS, reconcile_seconds * 2.0 ** min(asked, 30)) * 1000)
