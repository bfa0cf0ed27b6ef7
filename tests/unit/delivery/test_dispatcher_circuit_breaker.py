"""Delivery while the receiver is down, wrongly configured, or refuses records."""

from collections import defaultdict
from itertools import pairwise

import gevent
import pytest

from genesys_gateway.delivery.dispatcher import SENDERS
from genesys_gateway.delivery.evidence import MISDEPLOYED_AFTER
from genesys_gateway.delivery.outcome import Result, of_lookup, of_post
from tests.doubles.delivery import (
    FAILED,
    LONGEST_BACK_OFF,
    STORED,
    UNREACHED,
    DeliveryWithDoubles,
    record_id,
    record_ids,
)
from tests.doubles.runtime import until


def test_a_receiver_that_is_down_is_left_alone_but_for_one_test_at_a_time(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda _: UNREACHED
    delivery.store(*range(100))
    delivery.start()
    delivery.settle()
    at_first = len(delivery.receiver.posts)
    assert at_first <= 4 + 8

    for _ in range(10):
        delivery.pass_time(LONGEST_BACK_OFF / 10)

    assert len(delivery.receiver.posts) == at_first + 10
    assert delivery.states() == {"pending": 100}


def test_a_probe_that_is_allowed_causes_no_rounds_while_nothing_is_due(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda _: UNREACHED
    delivery.store(*range(5))
    delivery.start()
    delivery.settle()
    for n in range(5):
        delivery.change(n, next_at=delivery.clock.now() + 200_000)
    before = delivery.storage.runs

    delivery.clock.advance(40.0)
    delivery.wake()
    for _ in range(100):
        gevent.sleep(0.0005)

    assert delivery.storage.runs - before < 5
    assert delivery.breaker.wait(delivery.clock.monotonic()) == 0


def test_once_a_test_succeeds_everything_is_due_at_once_oldest_first(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda _: UNREACHED
    delivery.store(*range(200))
    delivery.clock.advance(60)
    delivery.start()
    delivery.settle()
    delivery.receiver.answers = lambda _: STORED
    before = len(delivery.receiver.posts)

    delivery.pass_time(1.0)

    assert delivery.states() == {"delivered": 200}
    drained = delivery.receiver.ids[before + 1 :]
    positions = [drained.index(record_id(n)) for n in range(200) if record_id(n) in drained]
    assert all(later > earlier - 8 * SENDERS for earlier, later in pairwise(positions))


def test_an_hour_without_receiver_costs_nobody_an_attempt_more_than_the_schedule_says(
    delivery: DeliveryWithDoubles,
) -> None:
    sent: dict[str, list[float]] = defaultdict(list)

    def down(one: str) -> Result:
        sent[one].append(delivery.clock.monotonic())
        return UNREACHED

    delivery.receiver.answers = down
    delivery.store(*range(300))
    delivery.start()
    delivery.settle()
    for _ in range(360):
        delivery.pass_time(10.0)

    assert delivery.states() == {"pending": 300}
    assert len(delivery.receiver.posts) < 8 + 3600 / 10
    assert max(map(len, sent.values())) <= 3, "each test takes another record"
    assert max(delivery.row(n).waited_ms for n in range(300)) < 10_000, "an outage is held against nobody"

    delivery.receiver.answers = lambda _: STORED
    delivery.pass_time(30.0)
    assert delivery.states() == {"delivered": 300}
    assert delivery.receiver.most_in_flight == 8


def test_entries_in_doubt_are_looked_up_when_the_receiver_is_back(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda _: FAILED
    delivery.store(*range(20))
    delivery.start()
    delivery.settle()
    in_doubt = {record_id(n) for n in range(20) if delivery.row(n).in_doubt}

    delivery.receiver.answers = lambda _: STORED
    delivery.receiver.found = lambda one: of_lookup(200) if one in in_doubt else None
    delivery.pass_time(1.0)

    assert delivery.states() == {"delivered": 20}
    assert set(delivery.receiver.lookups) >= in_doubt
    assert max(delivery.receiver.times.values()) == 1


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_wrong_deployment_pauses_the_circuit_breaker_and_kills_nobody(
    delivery: DeliveryWithDoubles, status: int
) -> None:
    delivery.receiver.answers = lambda _: of_post(status)
    delivery.store(*range(30))
    delivery.start()
    delivery.settle()
    at_first = len(delivery.receiver.posts)
    assert at_first < MISDEPLOYED_AFTER + SENDERS
    assert delivery.breaker.trouble == f"HTTP {status}"

    delivery.pass_time(LONGEST_BACK_OFF - 1)
    assert len(delivery.receiver.posts) == at_first
    for probes in range(1, 4):
        delivery.pass_time(LONGEST_BACK_OFF)
        assert len(delivery.receiver.posts) == at_first + probes

    delivery.receiver.answers = lambda _: STORED
    delivery.pass_time(LONGEST_BACK_OFF)
    assert delivery.states() == {"delivered": 30}
    assert delivery.receiver.lookups == [], "none of them was ever in doubt"
    assert len(set(delivery.receiver.ids[: at_first + 3])) == at_first + 3, "each probe is another record"


def test_a_receiver_that_refuses_every_record_alike_kills_none(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda _: of_post(422)
    delivery.store(*range(50))
    delivery.start()
    delivery.settle()

    assert delivery.states() == {"pending": 50}
    assert len(delivery.receiver.posts) < 10 + 8
    assert delivery.breaker.state.value == "paused"

    delivery.receiver.answers = lambda _: STORED
    delivery.pass_time(LONGEST_BACK_OFF)
    assert delivery.states() == {"delivered": 50}
    assert delivery.breaker.trouble is None


def test_a_receiver_that_refuses_every_record_alike_kills_none_after_another_pause(
    delivery: DeliveryWithDoubles,
) -> None:
    delivery.receiver.answers = lambda _: of_post(422)
    delivery.store(*range(9))
    delivery.start()
    delivery.settle()
    delivery.receiver.answers = lambda _: of_post(401)
    delivery.store(9)
    delivery.settle()
    assert delivery.states() == {"dead": 9, "pending": 1}

    delivery.receiver.answers = lambda _: of_post(422)
    delivery.pass_time(LONGEST_BACK_OFF)

    assert delivery.states() == {"pending": 10}
    assert delivery.breaker.state.value == "paused"


def test_fewer_refusals_than_ten_are_the_records_own(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda one: of_post(422) if one < record_id(9) else STORED
    delivery.store(*range(50))
    delivery.start()
    delivery.settle()

    assert delivery.states() == {"dead": 9, "delivered": 41}


def test_retry_after_is_obeyed_by_the_record_that_was_told(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda _: of_post(429, 400.0)
    delivery.store(1)
    delivery.start()
    delivery.settle()
    delivery.receiver.answers = lambda _: STORED
    delivery.store(2)

    delivery.pass_time(399.0)
    assert delivery.receiver.ids == record_ids(1, 2)
    delivery.pass_time(1.0)
    assert delivery.receiver.ids == record_ids(1, 2, 1)


def test_retry_after_told_to_two_is_obeyed_by_everybody(
    delivery: DeliveryWithDoubles, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery.receiver.answers = lambda _: of_post(429, 400.0)
    delivery.store(1, 2)
    delivery.start()
    delivery.settle()
    delivery.receiver.answers = lambda _: STORED
    delivery.store(3)

    delivery.pass_time(399.0)
    assert delivery.receiver.ids == record_ids(1, 2)
    assert "delivery_held" in capsys.readouterr().out
    delivery.pass_time(1.0)
    assert sorted(delivery.receiver.ids) == record_ids(1, 1, 2, 2, 3)


def test_a_late_success_lets_deliveries_flow_again(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.hangs = set(record_ids(1))
    delivery.receiver.answers = lambda one: STORED if one == record_id(1) else UNREACHED
    delivery.store(*range(1, 9))
    delivery.start()
    until(lambda: delivery.breaker.trouble)

    delivery.receiver.answers = lambda _: STORED
    delivery.receiver.hangs = set()
    delivery.receiver.release.set()
    delivery.settle()

    assert delivery.states() == {"delivered": 8}


def test_the_log_says_when_the_circuit_breaker_breaks_and_when_deliveries_flow_again(
    delivery: DeliveryWithDoubles, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery.receiver.answers = lambda _: UNREACHED
    delivery.store(*range(10))
    delivery.start()
    delivery.settle()
    delivery.receiver.answers = lambda _: STORED
    delivery.pass_time(1.0)

    lines = [line for line in capsys.readouterr().out.splitlines() if "delivery_lane" in line]
    assert ["broken" in lines[0], "flowing" in lines[-1], len(lines)] == [True, True, 2]
