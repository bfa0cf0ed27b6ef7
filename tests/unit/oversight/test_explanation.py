"""The explanation of a conversation: a table of states, and the words that the explanation of each must contain."""

from typing import Any

import pytest

from genesys_gateway.oversight.explanation import EVENTS, Explanation, event_in_words, explain, moment
from genesys_gateway.storage.statements.inspection import ConversationFacts, RecordFacts
from genesys_gateway.storage.statements.timeline import TimelineItem

NOW = 1_763_805_600_000
MINUTE = 60_000
HOUR = 60 * MINUTE


def facts(**changes: Any) -> ConversationFacts:
    """A conversation that is followed and covered."""
    values: dict[str, Any] = {
        "id": "c-1",
        "now": NOW,
        "paired": True,
        "created_at": NOW - HOUR * 3,
        "state": "subscribed",
        "outcome": None,
        "channel_id": "streaming-1",
        "channel_expires_at": NOW + 20 * HOUR,
        "covered_at": NOW - HOUR * 2,
        "uncovered_since": None,
        "released_at": None,
        "in_doubt": False,
        "due_at": NOW + 2 * MINUTE,
        "deadline_at": NOW + 72 * HOUR,
        "closed_at": None,
        "last_look_at": None,
        "unknown_since": None,
        "erased_at": None,
        "owner": "i-1",
        "next_owner": None,
        "offered_at": None,
        "owner_lease_until": NOW + 12_000,
        "owner_draining_at": None,
        "owner_lives": True,
        "gateway_lives": True,
        "records": (),
        "timeline": (),
    }
    return ConversationFacts(**values | changes)


def closed(outcome: str = "logged", **changes: Any) -> ConversationFacts:
    """A conversation that was closed an hour ago."""
    ended = {"state": "closed", "outcome": outcome, "closed_at": NOW - HOUR, "channel_id": None, "due_at": None}
    return facts(**ended | changes)


def record(**changes: Any) -> RecordFacts:
    """A record that waits for its first attempt."""
    values: dict[str, Any] = {
        "id": "r-1",
        "state": "pending",
        "source": "live",
        "amended": False,
        "stored_at": NOW,
        "attempt": 0,
        "in_doubt": False,
        "claimed_until": None,
        "claimed": False,
        "next_at": NOW,
        "last_error": None,
        "reason": None,
        "delivered_at": None,
        "erased_at": None,
    }
    return RecordFacts(**values | changes)


def explained(state: ConversationFacts) -> str:
    """The whole explanation as one text, without the timeline."""
    explanation: Explanation = explain(state)
    lines = (
        explanation.state,
        explanation.coverage,
        explanation.owner,
        explanation.customer,
        *explanation.awaited,
        *explanation.records,
    )
    return "\n".join(lines)


CASES = {
    "covered": (facts(), ("Followed since", "Covered since", "by channel streaming-1", "(in 2 min)", "(in 3 days)")),
    "covered, its channel unknown": (facts(channel_expires_at=None, covered_at=None), ("Covered by channel",)),
    "its gateway has ended": (facts(owner_lives=False), ("whose gateway has ended or is in doubt: it is not certain",)),
    "no gateway at all": (facts(owner_lives=False, gateway_lives=False), ("A gateway: none runs",)),
    "not covered": (
        facts(state="pending", uncovered_since=NOW - 5 * MINUTE, in_doubt=True),
        ("Not covered since", "(5 min ago)", "A channel with a free place", "what happened while it was not covered"),
    ),
    "released": (
        facts(state="pending", channel_id=None, uncovered_since=NOW - MINUTE, released_at=NOW - MINUTE),
        ("Released", "(60 s ago)", "its topic was given back for others", "until a later answer proves the end"),
    ),
    "unknown to Genesys": (facts(unknown_since=NOW - HOUR), ("its answer has been 404 since",)),
    "logged": (
        closed(),
        ("Closed", "(60 min ago) as logged: there is at least one record", "No channel is subscribed"),
    ),
    "no after-call work": (closed("no_acw"), ("no agent had any",)),
    "unresolved": (closed("unresolved"), ("its deadline passed, and no record was found",)),
    "last look to come": (closed(last_look_at=NOW + 23 * HOUR), ("The last look", "(in 23 h)")),
    "owned": (facts(), ("Owned by instance i-1, whose lease lasts until", "(in 12 s)")),
    "its owner is stopping": (
        facts(owner_draining_at=NOW - 500),
        ("Owned by instance i-1, which is stopping: another instance takes it over.",),
    ),
    "another instance is taking it over": (
        facts(owner_draining_at=NOW - 500, next_owner="i-2"),
        ("which is stopping: instance i-2 takes it over.",),
    ),
    "its owner is full": (
        facts(state="pending", offered_at=NOW - 9000),
        ("which has no place for its topic and has offered it to the others since", "(9 s ago)"),
    ),
    "its owner is in doubt": (
        facts(owner_lives=False),
        ("Its owner, instance i-1, is in doubt", "Its lease ends", "(in 12 s); then another instance takes it over."),
    ),
    "its owner is lost": (
        facts(owner_lives=False, owner_lease_until=NOW - 5000),
        ("instance i-1, is lost: its lease ended", "(5 s ago). Another instance takes it over."),
    ),
    "its owner is lost and there is no other": (
        facts(owner_lives=False, owner_lease_until=NOW - 5000, gateway_lives=False),
        ("The next instance that starts takes it over.",),
    ),
    "its owner is gone": (facts(owner_lives=False, owner_lease_until=None), ("Its owner is gone: another instance",)),
    "closed, nobody's": (closed(), ("No instance owns it any more.",)),
    "paired": (facts(), ("Paired with a customer.",)),
    "erased": (closed(paired=False, erased_at=NOW - MINUTE), ("Its customer was erased", "(60 s ago)")),
    "closed, its record waits, no gateway": (
        closed(records=(record(),), gateway_lives=False),
        ("A gateway: none runs", "CommunicationHistory: 1 of 1 records still to be delivered"),
    ),
    "a record is dead": (closed(records=(record(state="dead", reason="no"),)), ("A person: a record was given up",)),
}

RECORDS = {
    "delivered": (record(state="delivered", delivered_at=NOW - MINUTE), "In CommunicationHistory since"),
    "delivered at an unknown time": (record(state="delivered"), "In CommunicationHistory."),
    "erased": (record(state="delivered", delivered_at=NOW, erased_at=NOW), "; its personal content is erased."),
    "amended": (record(state="delivered", delivered_at=NOW, amended=True), "; other content came later"),
    "dead": (
        record(state="dead", attempt=1, reason="refused with HTTP 422", last_error="HTTP 422"),
        "Given up after 1 attempt: refused with HTTP 422.",
    ),
    "dead after other errors": (
        record(state="dead", attempt=9, reason="tried for too long", last_error="HTTP 503"),
        "Given up after 9 attempts: tried for too long (last error: HTTP 503).",
    ),
    "dead in doubt": (
        record(state="dead", attempt=9, reason="tried for too long", in_doubt=True),
        "Given up after 9 attempts: tried for too long; CommunicationHistory may have it all the same.",
    ),
    "first attempt": (record(), "Waits for its first attempt; due"),
    "names": (record(next_at=NOW + 2000), "Waits for the names of its agent and wrap-up code; due"),
    "under way": (record(attempt=3, claimed=True, claimed_until=NOW + 5, in_doubt=True), "Attempt 3 is under way."),
    "its gateway crashed": (
        record(attempt=3, claimed=True, claimed_until=NOW - 5, in_doubt=True),
        "Attempt 3 was begun by a gateway that ended in the middle of it; due",
    ),
    "failed": (
        record(attempt=2, last_error="HTTP 503", next_at=NOW + 12_000),
        "Waits after 2 attempts (last error: HTTP 503); due 2025-11-22T10:00:12.000Z (in 12 s).",
    ),
    "failed in doubt": (record(attempt=2, in_doubt=True), "may have it already, so it is asked first."),
    "overdue": (record(attempt=2, next_at=NOW - 2 * MINUTE), "overdue: deliveries are stopped by the circuit breaker"),
}


def test_a_released_conversation_waits_for_its_proof_only() -> None:
    text = explained(facts(state="pending", channel_id=None, uncovered_since=NOW, released_at=NOW, in_doubt=True))
    assert "channel" not in text
    assert "asked often" not in text


@pytest.mark.parametrize("name", CASES)
def test_a_state_is_explained(name: str) -> None:
    state, words = CASES[name]

    text = explained(state)

    assert not [one for one in words if one not in text], text


@pytest.mark.parametrize("name", RECORDS)
def test_why_a_record_is_where_it_is_is_told(name: str) -> None:
    one, words = RECORDS[name]

    (text,) = explain(facts(records=(one,))).records

    assert words in text


def test_a_closed_conversation_whose_records_are_delivered_waits_for_nothing() -> None:
    assert explain(closed(records=(record(state="delivered", delivered_at=NOW),), gateway_lives=False)).awaited == ()


def test_nobody_is_called_for_a_dead_record_that_was_erased() -> None:
    assert explain(closed(records=(record(state="dead", reason="x", erased_at=NOW),))).awaited == ()


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_has_words_and_keeps_its_detail(event: str) -> None:
    words = event_in_words(TimelineItem(at=NOW, event=event, detail="r-1 detail"))

    assert words.endswith(" detail")
    assert " r-1" in words
    assert words != f"{event} r-1 detail"


@pytest.mark.parametrize(
    ("event", "detail", "end"),
    [
        ("delivered", "r-1", ": record r-1"),
        ("dead", "r-1 refused with HTTP 422", "given up: record r-1: refused with HTTP 422"),
        ("revealed", "r-1 ops 1a2b3c4d", "to an operator: record r-1, by ops 1a2b3c4d"),
        ("requeued", "r-1 by ops 1a2b3c4d", "again: record r-1, by ops 1a2b3c4d"),
        ("closed", "logged", "no longer followed: logged"),
        ("dead", None, "given up: record"),
    ],
)
def test_a_record_is_told_apart_from_what_is_said_of_it(event: str, detail: str | None, end: str) -> None:
    assert event_in_words(TimelineItem(at=NOW, event=event, detail=detail)).endswith(end)


def test_an_event_of_a_later_version_is_told_as_it_is() -> None:
    assert event_in_words(TimelineItem(at=NOW, event="new_thing", detail=None)) == "new_thing"


def test_erasing_a_conversation_is_told_apart_from_erasing_a_record() -> None:
    assert event_in_words(TimelineItem(at=NOW, event="erased", detail=None)) == "its customer was erased"


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (0, "(0 s ago)"),
        (1500, "(in 1 s)"),
        (-119_000, "(119 s ago)"),
        (-2 * MINUTE, "(2 min ago)"),
        (2 * HOUR, "(in 2 h)"),
        (72 * HOUR, "(in 3 days)"),
    ],
)
def test_a_moment_is_told_with_its_distance(distance: int, words: str) -> None:
    assert moment(NOW + distance, NOW).endswith(words)
