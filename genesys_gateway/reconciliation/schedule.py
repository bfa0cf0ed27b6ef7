"""Decides when Genesys is asked about a conversation next, and when it is given up because no answer comes.

Invariant: pure. After a gap the questions start close together and become rarer until analytics are complete. Without a
doubt they become rarer, down to one an hour (HOUR_SECONDS), for as long as the conversation is followed. Under load,
when calls or topics are scarce, questions that can hardly prove anything are rarer, and the end of a conversation that
no event announces is noticed soon enough for its topic to be given back in time.
"""

from dataclasses import dataclass

from genesys_gateway.runtime.backoff import ceiling
from genesys_gateway.runtime.clock import HOUR_SECONDS, furthest_date

#: Period of the first questions after a gap, as a share of the time that analytics take to settle.
_FIRST = 1 / 40
#: Period of the later questions, as a share of the time since the gap.
_LATER = 1 / 4
#: Under load: factor on both periods of a doubt.
_UNDER_LOAD = 4
#: Under load: period of the routine questions, as a share of the time that analytics take to settle; by default seven
#: minutes. An end is noticed within that time, and its topic given back: at most settle + 180 s after the end.
_ROUTINE_UNDER_LOAD = 1.4
#: Under load: first period after an event that no end has followed, as such a share; it doubles. Most conversations are
#: over by then, and hold a topic that others need; analytics show that when they catch up.
_AFTER_EVENT_UNDER_LOAD = 0.2
#: Unless the live view is asked at once: the first question about a new conversation, as such a share. By then
#: analytics show who talks to the customer, so that the agent's name can be fetched before the event comes.
_NAMES_AGENTS = 1 / 12
#: Number of first routine periods for which a conversation may be unknown to Genesys; by default they make an hour.
_UNKNOWN_PERIODS = 30

#: Number of unanswered questions after its deadline after which a conversation is given up.
UNANSWERED_QUESTIONS = 12
#: Time over which these questions are spread, as a share of the time that conversations are followed; by default a day.
_UNANSWERED_SHARE = 1 / 3


def furthest(now: int, *, quiet_seconds: float, reconcile_seconds: float, settle_seconds: float) -> int:
    """The latest moment (epoch milliseconds) for which a question is planned; a later date was set by a wrong clock."""
    return furthest_date(now, HOUR_SECONDS, quiet_seconds, reconcile_seconds, settle_seconds)


def unknown_for_long(reconcile_seconds: float) -> float:
    """Seconds after which a conversation that Genesys answers 404 for is reported; at most an hour."""
    return min(HOUR_SECONDS, _UNKNOWN_PERIODS * reconcile_seconds)


def longest_unanswered(follow_deadline_seconds: float) -> float:
    """Seconds after its first unanswered question past its deadline at which a conversation is given up."""
    return follow_deadline_seconds * _UNANSWERED_SHARE


def first_question(settle_seconds: float, *, live: bool, spare: bool) -> float:
    """Seconds from the first cover of a conversation to the first question about it, unless a gap came before.

    Args:
        live: Whether the live view may be asked about each conversation.
        spare: Whether there are calls for questions that prove nothing.
    """
    if live:
        return 0.0
    return settle_seconds * (_NAMES_AGENTS if spare else 1)


def next_question(
    now: int,
    *,
    asked: int,
    doubt_since: int | None,
    reconcile_seconds: float,
    settle_seconds: float,
    longest_seconds: float = HOUR_SECONDS,
    has_record: bool = False,
    fresh: bool = False,
    under_load: bool = False,
) -> int:
    """The moment of the next question (epoch milliseconds).

    Args:
        now: Epoch milliseconds.
        asked: Number of routine questions that were answered since something last happened to the conversation: a
            registration that opened it, an event, the start of its cover, lost frames. Those of a doubt don't count.
        doubt_since: When the gap in doubt ended (epoch milliseconds); None if nothing is in doubt or the gap lasts.
        reconcile_seconds: First period of the routine questions; it doubles with each.
        settle_seconds: How long analytics may be incomplete.
        longest_seconds: Longest period of the routine questions; shorter past a deadline, or without a topic.
        has_record: Whether an after-call work of the conversation is stored.
        fresh: Whether the doubt is only about the moments between registration and cover: not worth early questions.
        under_load: Whether calls or topics are scarce.
    """
    if doubt_since is None:
        longest, first = longest_seconds, reconcile_seconds
        if under_load:
            longest = min(longest, max(reconcile_seconds, settle_seconds * _ROUTINE_UNDER_LOAD))
            first = settle_seconds * _AFTER_EVENT_UNDER_LOAD if has_record else longest
        return now + round(ceiling(first, min(longest, HOUR_SECONDS), asked) * 1000)
    settle_ms = round(settle_seconds * 1000)
    settled_at = doubt_since + settle_ms
    if fresh and now < settled_at:
        return settled_at
    age = max(now - doubt_since, 0)
    factor = _UNDER_LOAD if under_load else 1
    wait = round(min(max(settle_ms * _FIRST, age * _LATER) * factor, settle_ms))
    return min(now + wait, settled_at) if now < settled_at else now + wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """Questions past the deadline that the live view did not answer."""

    count: int
    #: when the first of them was asked (epoch milliseconds)
    since: int

    def given_up(self, now: int, follow_deadline_seconds: float) -> bool:
        """Whether there were enough of them, over a time that is long enough, to end the conversation without answer.

        Args:
            now: Epoch milliseconds of a clock that ignores jumps.
            follow_deadline_seconds: How long conversations are followed.
        """
        longest_ms = round(longest_unanswered(follow_deadline_seconds) * 1000)
        return self.count >= UNANSWERED_QUESTIONS and now - self.since >= longest_ms


def one_more(asked_at: int, *, deadline_at: int, count: int, since: int | None) -> Unanswered | None:
    """Count one more unanswered question; None before the deadline.

    Questions from before a deadline that has moved since don't count.

    Args:
        asked_at: When it was asked (epoch milliseconds).
        deadline_at: The deadline of the conversation (epoch milliseconds).
        count: Number of unanswered questions so far.
        since: When the first of them was asked (epoch milliseconds); None if there was none.
    """
    if asked_at < deadline_at:
        return None
    if since is None or not deadline_at <= since <= asked_at:
        return Unanswered(count=1, since=asked_at)
    return Unanswered(count=count + 1, since=since)
