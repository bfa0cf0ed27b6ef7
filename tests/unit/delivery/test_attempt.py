"""One attempt: when the receiver is asked first, when a record is sent, and when neither happens."""

import json
from typing import Any

import pytest

from genesys_gateway.delivery.outcome import Outcome, Result, of_lookup, of_post
from tests.doubles.delivery import (
    CONVERSATION,
    CUSTOMER,
    FAILED,
    LONGEST_BACK_OFF,
    STORED,
    UNREACHED,
    DeliveryWithDoubles,
    record_id,
)
from tests.doubles.runtime import until


@pytest.mark.parametrize("result", [UNREACHED, of_post(429), of_post(408)])
def test_a_failure_that_left_nothing_behind_is_sent_again_without_asking(
    delivery: DeliveryWithDoubles, result: Result
) -> None:
    delivery.receiver.answers = lambda _: result
    delivery.store(1)
    delivery.start()
    delivery.settle()
    assert delivery.timeline() == ["attempt_failed"]

    delivery.receiver.answers = lambda _: STORED
    delivery.pass_time(1.0)

    assert delivery.receiver.lookups == []
    assert delivery.receiver.ids == [record_id(1)] * 2
    assert delivery.states() == {"delivered": 1}
    assert delivery.ambiguous() == 0


@pytest.mark.parametrize("result", [FAILED, Result(outcome=Outcome.UNKNOWN, error="no reply")])
def test_after_an_unknown_outcome_the_receiver_is_asked_and_has_it(
    delivery: DeliveryWithDoubles, result: Result
) -> None:
    delivery.receiver.answers = lambda _: result
    delivery.receiver.found = lambda _: of_lookup(200)
    delivery.store(1)
    delivery.start()
    delivery.settle()

    delivery.pass_time(1.0)

    assert delivery.receiver.lookups == [record_id(1)]
    assert delivery.receiver.ids == [record_id(1)]
    assert delivery.states() == {"delivered": 1}
    assert delivery.ambiguous() == 1


def test_a_record_that_the_receiver_does_not_have_is_sent_again_byte_by_byte_the_same(
    delivery: DeliveryWithDoubles,
) -> None:
    delivery.register(CUSTOMER)
    delivery.receiver.answers = lambda _: FAILED
    delivery.names.names = {"u": "Maria Cruz"}
    delivery.store(1, user_id="u")
    delivery.start()
    delivery.settle()

    delivery.names.names = {"u": "Maria Santos"}
    delivery.receiver.answers = lambda _: STORED
    delivery.pass_time(1.0)

    first, second = (json.dumps(record) for record in delivery.receiver.posts)
    assert first == second
    assert "Maria Cruz" in first
    assert delivery.receiver.lookups == [record_id(1)]


@pytest.mark.parametrize("status", [302, 400, 401, 408, 429, 500, 503])
def test_while_the_question_is_not_answered_nothing_is_sent(delivery: DeliveryWithDoubles, status: int) -> None:
    delivery.receiver.answers = lambda _: FAILED
    delivery.receiver.found = lambda _: of_lookup(status)
    delivery.store(1)
    delivery.start()
    delivery.settle()

    for _ in range(4):
        delivery.pass_time(LONGEST_BACK_OFF)

    assert len(delivery.receiver.lookups) == 4
    assert delivery.receiver.ids == [record_id(1)]
    assert delivery.row(1).in_doubt


def test_what_a_dead_process_had_claimed_is_asked_about_first(delivery: DeliveryWithDoubles) -> None:
    until_then = delivery.clock.now() + 20_000
    delivery.store(1, attempt=1, claim=3, claimed_by="dead", claimed_until=until_then, in_doubt=True)
    delivery.receiver.found = lambda _: of_lookup(200)

    delivery.start()
    delivery.settle()

    assert delivery.receiver.lookups == [record_id(1)]
    assert delivery.receiver.posts == []
    assert delivery.states() == {"delivered": 1}
    assert delivery.ambiguous() == 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"content": "{not json"}, "stored event can't be read"),
        ({"content": "[]"}, "stored event can't be read"),
        ({"content": "null"}, "stored event can't be read"),
        ({"content": None}, "stored event can't be read"),
        ({"content": json.dumps({"conversation_id": "not a uuid"})}, "not a valid record"),
        ({"names": "{not json", "attempt": 1}, "stored event can't be read"),
        ({"names": "[]", "attempt": 1}, "stored event can't be read"),
        ({"names": '{"agent_name": 7}', "attempt": 1}, "not a valid record"),
    ],
)
def test_what_can_be_no_record_is_dead_without_being_sent(
    delivery: DeliveryWithDoubles, values: dict[str, Any], reason: str
) -> None:
    delivery.store(1, **values)
    delivery.store(2)

    delivery.start()
    delivery.settle()

    assert delivery.receiver.ids == [record_id(2)]
    assert delivery.row(1).reason == reason


def test_what_a_newer_release_has_stored_is_sent(delivery: DeliveryWithDoubles) -> None:
    event = {"conversation_id": CONVERSATION, "participant_id": "p", "session_id": "s", "sentiment": "good"}
    names = {"agent_name": "Maria Cruz", "wrapup_name": None, "customer_id": None, "agent_email": None}
    delivery.store(1, content=json.dumps(event), names=json.dumps(names), attempt=1)
    delivery.store(2)

    delivery.start()
    delivery.settle()

    assert delivery.states() == {"delivered": 2}
    assert delivery.receiver.posts[0]["body"]["agentName"] == "Maria Cruz"


def test_a_claim_that_may_not_outlast_an_attempt_begins_none(delivery: DeliveryWithDoubles) -> None:
    delivery.storage.slow = lambda: delivery.clock.advance(16.0)  # of the 20 of a lease
    delivery.store(1)

    delivery.start()
    until(lambda: delivery.storage.runs > 10)

    assert delivery.receiver.posts == []
    delivery.storage.slow = lambda: None
    delivery.pass_time(30.0)
    assert delivery.receiver.ids == [record_id(1)]
    assert delivery.row(1).attempt == 1
    assert delivery.receiver.lookups == [], "nothing had been sent"


def test_a_mistake_of_ours_costs_one_attempt_and_no_other_record(delivery: DeliveryWithDoubles) -> None:
    def answer(one: str) -> Result:
        if one == record_id(1):
            raise ZeroDivisionError
        return STORED

    delivery.receiver.answers = answer
    delivery.store(1, 2, 3)
    delivery.start()
    delivery.settle()

    assert delivery.states() == {"delivered": 2, "pending": 1}
    assert delivery.row(1).last_error == "internal error"
    assert delivery.row(1).in_doubt
