"""Entries leave the outbox: attempts, doubts, claims, restarts. A clock that stands still, a receiver on a string."""

import json
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from genesys_gateway.delivery.outcome import Outcome, Result, of_lookup, of_post
from genesys_gateway.runtime.clock import SystemClock
from tests.doubles.delivery import FAILED, STORED, UNREACHED, House, record_id
from tests.doubles.runtime import until

CUSTOMER = "11111111-2222-4333-8444-555555555555"
MAX, LIMIT_HOURS = 300, 72


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


def test_each_entry_becomes_one_record(house: House) -> None:
    house.register(CUSTOMER)
    house.names.names = {"u": "Maria Cruz", "c": "Invoice"}
    house.store(1, 2, 3, user_id="u", wrapup_code="c", media_type="VOICE")

    house.delivery.start()
    house.settle()

    assert house.receiver.ids == [record_id(1), record_id(2), record_id(3)]
    first = house.receiver.posts[0]
    assert (first["customerId"], first["purpose"]) == (CUSTOMER, "Invoice")
    assert first["title"] == "Inbound voice call, handled by Maria Cruz"
    assert house.states() == {"delivered": 3}
    assert house.timeline() == ["delivered"] * 3
    assert house.outcomes() == {"delivered": 3}


def test_an_entry_that_comes_later_is_delivered_when_it_wakes(house: House) -> None:
    house.delivery.start()
    house.settle()

    house.store(1)
    house.settle()

    assert house.states() == {"delivered": 1}


def test_eight_at_most_are_sent_at_a_time(house: House) -> None:
    house.store(*range(100))

    house.delivery.start()
    house.settle()

    assert house.states() == {"delivered": 100}
    assert house.receiver.most_at_once == 8


@pytest.mark.parametrize("result", [UNREACHED, of_post(429), of_post(408)])
def test_a_failure_that_left_nothing_behind_is_sent_again_without_asking(house: House, result: Result) -> None:
    house.receiver.answers = lambda _: result
    house.store(1)
    house.delivery.start()
    house.settle()
    assert house.timeline() == ["attempt_failed"]

    house.receiver.answers = lambda _: STORED
    house.pass_time(1.0)

    assert house.receiver.lookups == []
    assert house.receiver.ids == [record_id(1)] * 2
    assert house.states() == {"delivered": 1}
    assert house.ambiguous() == 0


@pytest.mark.parametrize("result", [FAILED, Result(outcome=Outcome.UNKNOWN, error="no reply")])
def test_after_an_unknown_outcome_the_receiver_is_asked_and_has_it(house: House, result: Result) -> None:
    house.receiver.answers = lambda _: result
    house.receiver.found = lambda _: of_lookup(200)
    house.store(1)
    house.delivery.start()
    house.settle()

    house.pass_time(1.0)

    assert house.receiver.lookups == [record_id(1)]
    assert house.receiver.ids == [record_id(1)]
    assert house.states() == {"delivered": 1}
    assert house.ambiguous() == 1


def test_a_record_that_the_receiver_does_not_have_is_sent_again_byte_by_byte_the_same(house: House) -> None:
    house.register(CUSTOMER)
    house.receiver.answers = lambda _: FAILED
    house.names.names = {"u": "Maria Cruz"}
    house.store(1, user_id="u")
    house.delivery.start()
    house.settle()

    house.names.names = {"u": "Maria Santos"}
    house.receiver.answers = lambda _: STORED
    house.pass_time(1.0)

    first, second = (json.dumps(record) for record in house.receiver.posts)
    assert first == second
    assert "Maria Cruz" in first
    assert house.receiver.lookups == [record_id(1)]


@pytest.mark.parametrize("status", [302, 400, 401, 408, 429, 500, 503])
def test_while_the_question_is_not_answered_nothing_is_sent(house: House, status: int) -> None:
    house.receiver.answers = lambda _: FAILED
    house.receiver.found = lambda _: of_lookup(status)
    house.store(1)
    house.delivery.start()
    house.settle()

    for _ in range(4):
        house.pass_time(MAX)

    assert len(house.receiver.lookups) == 4
    assert house.receiver.ids == [record_id(1)]
    assert house.row(1).in_doubt


def test_what_a_dead_process_had_claimed_is_asked_about_first(house: House) -> None:
    until_then = house.clock.now() + 20_000
    house.store(1, attempt=1, claim=3, claimed_by="dead", claimed_until=until_then, in_doubt=True)
    house.receiver.found = lambda _: of_lookup(200)

    house.delivery.start()
    house.settle()

    assert house.receiver.lookups == [record_id(1)]
    assert house.receiver.posts == []
    assert house.states() == {"delivered": 1}
    assert house.ambiguous() == 1


def test_back_off_and_attempts_survive_a_restart(house: House) -> None:
    house.receiver.answers = lambda _: UNREACHED
    house.store(1)
    house.delivery.start()
    house.settle()
    before = house.row(1)
    house.delivery.stop(1.0)

    house.delivery = house.new_delivery()
    house.delivery.start()
    house.settle()

    assert len(house.receiver.posts) == 1, "it is not due yet"
    house.pass_time(1.0)
    assert len(house.receiver.posts) == 2
    assert house.row(1).attempt == before.attempt + 1
    assert house.row(1).waited_ms > before.waited_ms


def test_a_refused_record_is_dead_and_holds_up_nobody(house: House) -> None:
    house.receiver.answers = lambda one: of_post(422) if one == record_id(1) else STORED
    house.store(1, 2)

    house.delivery.start()
    house.settle()

    assert house.row(1).reason == "refused with HTTP 422"
    assert house.states() == {"dead": 1, "delivered": 1}
    assert house.outcomes() == {"dead": 1, "delivered": 1}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"content": "{not json"}, "stored event can't be read"),
        ({"content": "[]"}, "stored event can't be read"),
        ({"content": "null"}, "stored event can't be read"),
        ({"content": None}, "stored event can't be read"),
        ({"content": json.dumps({"conversation_id": "not a uuid"})}, "not a valid record"),
    ],
)
def test_what_can_be_no_record_is_dead_without_being_sent(house: House, values: dict[str, Any], reason: str) -> None:
    house.store(1, **values)
    house.store(2)

    house.delivery.start()
    house.settle()

    assert house.receiver.ids == [record_id(2)]
    assert house.row(1).reason == reason


def test_after_the_limit_and_five_attempts_it_is_given_up(house: House) -> None:
    house.receiver.answers = lambda one: UNREACHED if one == record_id(1) else STORED
    house.store(1, attempt=4, waited_ms=LIMIT_HOURS * 3_600_000)

    house.delivery.start()
    house.settle()

    assert house.row(1).reason == "tried for too long"
    assert house.timeline() == ["dead"]


def test_nothing_dies_of_a_clock_that_jumps(house: House) -> None:
    house.receiver.answers = lambda _: UNREACHED
    house.store(1, 2)
    house.delivery.start()
    house.settle()

    house.clock.jump(86_400 * 30)
    house.pass_time(1.0)
    house.clock.jump(-86_400 * 30 - 3600)
    house.pass_time(1.0)
    assert house.states() == {"pending": 2}

    house.receiver.answers = lambda _: STORED
    for _ in range(3):
        house.pass_time(MAX)
    assert house.states() == {"delivered": 2}


def test_entries_of_a_clock_that_was_ahead_are_due_now(house: House) -> None:
    house.clock.jump(86_400)
    house.store(1)
    house.clock.jump(-86_400)

    house.delivery.start()
    house.settle()

    assert house.states() == {"delivered": 1}


def test_a_claim_that_may_not_outlast_an_attempt_begins_none(house: House) -> None:
    house.storage.slow = lambda: house.clock.advance(16.0)  # of the 20 of a lease
    house.store(1)

    house.delivery.start()
    until(lambda: house.storage.runs > 10)

    assert house.receiver.posts == []
    house.storage.slow = lambda: None
    house.pass_time(30.0)
    assert house.receiver.ids == [record_id(1)]
    assert house.row(1).attempt == 1
    assert house.receiver.lookups == [], "nothing had been sent"


def test_what_ended_while_the_disk_was_away_is_written_down_later(house: House) -> None:
    house.receiver.hangs = {record_id(1)}
    house.store(1)
    house.delivery.start()
    until(lambda: house.receiver.posts)

    house.storage.fails = 3
    house.receiver.hangs = set()
    house.receiver.release.set()
    house.settle()

    assert house.states() == {"delivered": 1}
    assert house.receiver.ids == [record_id(1)]


def test_entries_read_before_the_disk_went_away_are_not_lost(house: House) -> None:
    house.delivery.start()
    house.settle()
    house.storage.fails = 5

    house.store(1, 2, 3, wake=False)
    house.pass_time(10.0)

    assert house.states() == {"delivered": 3}


def test_whoever_was_overtaken_concludes_nothing(house: House) -> None:
    house.receiver.hangs = {record_id(1)}
    house.store(1)
    house.delivery.start()
    until(lambda: house.receiver.posts)

    house.change(1, claim=9, claimed_by="other", claimed_until=house.clock.now() + 3_600_000)
    house.receiver.answers = lambda _: of_post(422)
    house.receiver.release.set()
    house.settle()

    assert house.states() == {"pending": 1}
    assert house.row(1).claimed_by == "other"
    assert house.outcomes() == {}


def test_a_slow_attempt_whose_lease_ended_is_not_begun_a_second_time_beside_it(house: House) -> None:
    house.receiver.hangs = {record_id(1)}
    house.store(1)
    house.delivery.start()
    until(lambda: house.receiver.posts)

    house.pass_time(60.0)

    assert house.receiver.ids == [record_id(1)]
    assert house.receiver.lookups == []


def test_stop_finishes_what_is_under_way_and_begins_nothing(house: House) -> None:
    house.receiver.hangs = {record_id(n) for n in range(1, 9)}
    house.store(*range(1, 31))
    house.delivery.start()
    until(lambda: house.receiver.at_once == 8)

    stopping = gevent.spawn(house.delivery.stop, 5.0)
    gevent.sleep(0)
    house.receiver.release.set()

    assert stopping.get() == []
    assert house.states() == {"delivered": 8, "pending": 22}
    assert house.receiver.ids == [record_id(n) for n in range(1, 9)]
    for n in range(9, 31):
        row = house.row(n)
        assert (row.attempt, row.in_doubt, row.claimed_by) == (0, False, None)


def test_stop_is_bounded_and_names_who_was_late(house: House) -> None:
    house.receiver.hangs = {record_id(1)}
    house.store(1, 2)
    house.delivery.start()
    until(lambda: house.states()["delivered"] == 1)

    late = house.delivery.stop(0.05)

    assert len(late) == 1
    assert late[0].startswith("delivery.sender-")
    assert house.row(1).in_doubt
    assert house.delivery.stop(0.05) == []


def test_a_mistake_of_ours_costs_one_attempt_and_no_other_record(house: House) -> None:
    def answer(one: str) -> Result:
        if one == record_id(1):
            raise ZeroDivisionError
        return STORED

    house.receiver.answers = answer
    house.store(1, 2, 3)
    house.delivery.start()
    house.settle()

    assert house.states() == {"delivered": 2, "pending": 1}
    assert house.row(1).last_error == "internal error"
    assert house.row(1).in_doubt


def test_it_wakes_by_itself_when_the_next_attempt_is_due() -> None:
    house = House(clock=SystemClock(), retry_base_seconds=0.02)
    house.receiver.answers = lambda _: STORED if len(house.receiver.posts) > 2 else UNREACHED
    house.store(1)

    house.delivery.start()

    until(lambda: house.states() == {"delivered": 1})
    house.close()
