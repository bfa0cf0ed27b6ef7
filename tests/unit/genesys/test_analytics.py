"""Reading the answers of Genesys's analytics: a part that can't be read hides no other."""

import orjson
import pytest

from genesys_gateway.genesys.analytics import Details, details_from_answer
from genesys_gateway.genesys.call import BadAnswer
from genesys_gateway.runtime.clock import parse_iso
from tests.doubles.analytics_answers import (
    DONE,
    ENDED,
    agent,
    conversation,
    details_of,
    session,
)

FIRST = ("participant-1", "session-1")


def wrapped_up(details: Details) -> set[tuple[str, str]]:
    """Participants and sessions that show after-call work with an end, and not as skipped."""
    return {
        (session.participant_id, session.id)
        for session in details.sessions
        if not session.acw_skipped and any(wrapup.ended_at is not None for wrapup in session.wrapups)
    }


@pytest.mark.parametrize("end", [None, "", 5, "soon"])
def test_without_an_end_it_has_not_ended(end: object) -> None:
    assert not details_of(agent(1, session(1, DONE)), conversationEnd=end).ended


def test_it_has_ended_when_it_says_so() -> None:
    details = details_of(agent(1))
    assert (details.ended, details.ended_at) == (True, parse_iso(ENDED))


def test_a_customer_who_hung_up_before_any_agent_has_ended() -> None:
    assert details_of({"participantId": "customer-1", "purpose": "customer", "sessions": [session(1)]}).ended


@pytest.mark.parametrize("nobody", [[], None])
def test_an_end_without_any_participant_is_no_end(nobody: object) -> None:
    assert not details_of(participants=nobody).ended


@pytest.mark.parametrize(
    "unreadable",
    [
        agent(2, {"sessionId": None}),
        agent(2, "session"),
        agent(2, participantId=5),
        agent(2, userId=5),
        agent(2, session(2, "segment")),
        {**agent(2), "sessions": "none"},
    ],
)
def test_one_unreadable_agent_hides_no_other_but_the_answer_no_longer_speaks_for_the_whole(unreadable: object) -> None:
    details = details_of(unreadable, agent(1, session(1, DONE)))
    assert wrapped_up(details) == {FIRST}
    assert not details.ended


@pytest.mark.parametrize("wrong", [{"mediaType": 5}, {"direction": []}, {"ani": 5}, {"acwSkipped": "no"}, {"new": {}}])
def test_a_wrong_optional_field_counts_as_absent(wrong: dict[str, object]) -> None:
    details = details_of(agent(1, session(1, DONE, **wrong)))
    assert (wrapped_up(details), details.ended) == ({FIRST}, True)


@pytest.mark.parametrize("body", [b"{}", b'{"conversations": []}', b'{"conversations": null}'])
def test_analytics_that_know_nothing_yet_answer_nobody(body: bytes) -> None:
    assert details_from_answer(body) == ()


def test_of_two_different_accounts_of_a_conversation_the_work_counts_and_the_end_does_not() -> None:
    twice = [conversation(agent(1, session(1, DONE))), conversation(agent(2, session(2, DONE)))]
    (details,) = details_from_answer(orjson.dumps({"conversations": twice}))
    assert wrapped_up(details) == {FIRST, ("participant-2", "session-2")}
    assert not details.ended


def test_the_same_account_twice_counts_once() -> None:
    (details,) = details_from_answer(orjson.dumps({"conversations": [conversation(agent(1, session(1, DONE)))] * 2}))
    assert (len(details.sessions), details.ended) == (1, True)


def test_the_answer_about_a_single_conversation_is_read_alike() -> None:
    (details,) = details_from_answer(orjson.dumps(conversation(agent(1, session(1, DONE)))))
    assert wrapped_up(details) == {FIRST}


@pytest.mark.parametrize(
    "odd",
    [None, "conversation", {}, conversation(conversationId=5), conversation(participants="none"), conversation("x")],
)
def test_one_odd_conversation_does_not_hold_up_the_others(odd: object) -> None:
    answer = {"conversations": [odd, conversation(agent(1, session(1, DONE)))]}
    (details,) = details_from_answer(orjson.dumps(answer))
    assert wrapped_up(details) == {FIRST}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff",
        b"[]",
        b"null",
        b'{"message": "internal"}',
        b'{"conversations": {}}',
        b'{"conversations": [null]}',
        b'{"conversations": [{}]}',
        b'{"conversationId": 5}',
        b'{"conversationId": "c", "participants": [5]}',
    ],
)
def test_an_answer_about_nobody_proves_nothing(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        details_from_answer(body)
