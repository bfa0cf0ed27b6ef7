"""Entries leave the outbox: order, claims, restarts, failing storage, stop."""

from collections import Counter

import gevent
import pytest

from genesys_gateway.delivery.outcome import of_post
from genesys_gateway.runtime.clock import SystemClock
from tests.doubles.delivery import (
    CUSTOMER,
    FAILED,
    LONGEST_BACK_OFF,
    STORED,
    UNREACHED,
    DeliveryWithDoubles,
    record_id,
    record_ids,
)
from tests.doubles.runtime import until

LIMIT_HOURS = 72


def test_each_entry_becomes_one_record(delivery: DeliveryWithDoubles) -> None:
    delivery.register(CUSTOMER)
    delivery.names.names = {"u": "Maria Cruz", "c": "Invoice"}
    delivery.store(1, 2, 3, user_id="u", wrapup_code="c", media_type="VOICE")

    delivery.start()
    delivery.settle()

    assert delivery.receiver.ids == [record_id(1), record_id(2), record_id(3)]
    first = delivery.receiver.posts[0]
    assert (first["customerId"], first["purpose"]) == (CUSTOMER, "Invoice")
    assert first["title"] == "Inbound voice call, handled by Maria Cruz"
    assert delivery.states() == {"delivered": 3}
    assert delivery.timeline() == ["delivered"] * 3
    assert delivery.outcomes() == {"delivered": 3}


def test_an_entry_that_comes_later_is_delivered_when_it_wakes(delivery: DeliveryWithDoubles) -> None:
    delivery.start()
    delivery.settle()

    delivery.store(1)
    delivery.settle()

    assert delivery.states() == {"delivered": 1}


def test_eight_at_most_are_sent_at_a_time(delivery: DeliveryWithDoubles) -> None:
    delivery.store(*range(100))

    delivery.start()
    delivery.settle()

    assert delivery.states() == {"delivered": 100}
    assert delivery.receiver.most_in_flight == 8


def test_back_off_and_attempts_survive_a_restart(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda _: UNREACHED
    delivery.store(1)
    delivery.start()
    delivery.settle()
    before = delivery.row(1)
    delivery.stop(1.0)

    delivery.new_process()
    delivery.start()
    delivery.settle()

    assert len(delivery.receiver.posts) == 1, "it is not due yet"
    delivery.pass_time(1.0)
    assert len(delivery.receiver.posts) == 2
    assert delivery.row(1).attempt == before.attempt + 1
    assert delivery.row(1).waited_ms > before.waited_ms


def test_a_refused_record_is_dead_and_holds_up_nobody(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda one: of_post(422) if one == record_id(1) else STORED
    delivery.store(1, 2)

    delivery.start()
    delivery.settle()

    assert delivery.row(1).reason == "refused with HTTP 422"
    assert delivery.states() == {"dead": 1, "delivered": 1}
    assert delivery.outcomes() == {"dead": 1, "delivered": 1}


def test_after_the_limit_and_five_attempts_it_is_given_up(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda one: UNREACHED if one == record_id(1) else STORED
    delivery.store(1, attempt=4, waited_ms=LIMIT_HOURS * 3_600_000)

    delivery.start()
    delivery.settle()

    assert delivery.row(1).reason == "tried for too long"
    assert delivery.timeline() == ["dead"]


def test_nothing_dies_of_a_clock_that_jumps(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda _: UNREACHED
    delivery.store(1, 2)
    delivery.start()
    delivery.settle()

    delivery.clock.jump(86_400 * 30)
    delivery.pass_time(1.0)
    delivery.clock.jump(-86_400 * 30 - 3600)
    delivery.pass_time(1.0)
    assert delivery.states() == {"pending": 2}

    delivery.receiver.answers = lambda _: STORED
    for _ in range(3):
        delivery.pass_time(LONGEST_BACK_OFF)
    assert delivery.states() == {"delivered": 2}


@pytest.mark.parametrize("seconds", [90, 600, 3590, 3600, 86_400])
def test_a_clock_that_is_set_back_delays_no_further_attempt(delivery: DeliveryWithDoubles, seconds: int) -> None:
    delivery.receiver.answers = lambda _: UNREACHED
    delivery.store(1, 2)
    delivery.start()
    delivery.settle()
    delivery.receiver.answers = lambda _: STORED

    delivery.clock.jump(-seconds)
    delivery.pass_time(10.0)
    delivery.pass_time(10.0)

    assert delivery.states() == {"delivered": 2}


@pytest.mark.parametrize("seconds", [600, 3590])
def test_a_new_record_of_a_clock_that_was_ahead_waits_no_longer_than_a_back_off(
    delivery: DeliveryWithDoubles, seconds: int
) -> None:
    delivery.clock.jump(seconds)
    delivery.store(1)
    delivery.clock.jump(-seconds)

    delivery.start()
    delivery.settle()

    assert delivery.states() == {"delivered": 1}


def test_what_ended_while_the_disk_was_away_is_written_down_later(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.hangs = {record_id(1)}
    delivery.store(1)
    delivery.start()
    until(lambda: delivery.receiver.posts)

    delivery.storage.fails = 3
    delivery.receiver.hangs = set()
    delivery.receiver.release.set()
    delivery.settle()

    assert delivery.states() == {"delivered": 1}
    assert delivery.receiver.ids == [record_id(1)]


def test_entries_read_before_the_disk_went_away_are_not_lost(delivery: DeliveryWithDoubles) -> None:
    delivery.start()
    delivery.settle()
    delivery.storage.fails = 5

    delivery.store(1, 2, 3, wake=False)
    delivery.pass_time(10.0)

    assert delivery.states() == {"delivered": 3}


def test_an_overtaken_attempt_concludes_nothing(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.hangs = {record_id(1)}
    delivery.store(1)
    delivery.start()
    until(lambda: delivery.receiver.posts)

    delivery.change(1, claim=9, claimed_by="other", claimed_until=delivery.clock.now() + 3_600_000)
    delivery.receiver.answers = lambda _: of_post(422)
    delivery.receiver.release.set()
    delivery.settle()

    assert delivery.states() == {"pending": 1}
    assert delivery.row(1).claimed_by == "other"
    assert delivery.outcomes() == {}


def test_a_slow_attempt_whose_lease_ended_is_not_begun_a_second_time_beside_it(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.hangs = {record_id(1)}
    delivery.store(1)
    delivery.start()
    until(lambda: delivery.receiver.posts)

    delivery.pass_time(60.0)

    assert delivery.receiver.ids == [record_id(1)]
    assert delivery.receiver.lookups == []


def test_stop_finishes_what_is_under_way_and_begins_nothing(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.hangs = {record_id(n) for n in range(1, 9)}
    delivery.store(*range(1, 31))
    delivery.start()
    until(lambda: delivery.receiver.in_flight == 8)

    stopping = gevent.spawn(delivery.stop, 5.0)
    gevent.sleep(0)
    delivery.receiver.release.set()

    assert stopping.get() == []
    assert delivery.states() == {"delivered": 8, "pending": 22}
    assert delivery.receiver.ids == [record_id(n) for n in range(1, 9)]
    for n in range(9, 31):
        row = delivery.row(n)
        assert (row.attempt, row.in_doubt, row.claimed_by) == (0, False, None)


def test_stop_is_bounded_and_names_who_was_late(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.hangs = {record_id(1)}
    delivery.store(1, 2)
    delivery.start()
    until(lambda: delivery.states()["delivered"] == 1)

    late = delivery.stop(0.05)

    assert len(late) == 1
    assert late[0].startswith("delivery.sender-")
    assert delivery.row(1).in_doubt
    assert delivery.stop(0.05) == []


def test_records_that_always_fail_hold_up_nobody(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda one: FAILED if one < record_id(100) else STORED
    delivery.store(*range(50))
    delivery.start()
    delivery.settle()

    for n in range(100, 150):
        delivery.store(n)
        delivery.pass_time(1.0)
    delivery.pass_time(LONGEST_BACK_OFF / 10)

    assert delivery.states()["delivered"] == 50


def test_many_hanging_records_leave_senders_to_the_others(delivery: DeliveryWithDoubles) -> None:
    hanging = range(50)
    delivery.receiver.hangs = set(record_ids(*hanging))
    delivery.store(*hanging, attempt=1)
    delivery.start()
    until(lambda: delivery.receiver.in_flight == 6)

    delivery.store(*range(100, 200))

    until(lambda: delivery.states()["delivered"] == 100)
    assert delivery.receiver.in_flight == 6


def test_attempts_are_counted_by_how_they_ended(delivery: DeliveryWithDoubles) -> None:
    answers = {record_id(1): of_post(422), record_id(2): FAILED}
    delivery.receiver.answers = lambda one: answers.get(one, STORED)
    delivery.store(1, 2, 3)
    delivery.start()
    delivery.settle()

    assert Counter(delivery.outcomes()) == {"delivered": 1, "dead": 1, "failed": 1}


def test_it_wakes_by_itself_when_the_next_attempt_is_due() -> None:
    delivery = DeliveryWithDoubles(clock=SystemClock(), retry_base_seconds=0.02)
    delivery.receiver.answers = lambda _: STORED if len(delivery.receiver.posts) > 2 else UNREACHED
    delivery.store(1)

    delivery.start()

    until(lambda: delivery.states() == {"delivered": 1})
    delivery.close()
