"""Delivery when the receiver is down, wrongly set up or choosy, and who is served first then."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

import gevent
import pytest

from genesys_gateway.delivery.dispatcher import SENDERS
from genesys_gateway.delivery.outcome import Result, of_lookup, of_post
from tests.doubles.delivery import FAILED, STORED, UNREACHED, House, record_id
from tests.doubles.runtime import until

MAX = 300


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


def ids(*numbers: int) -> list[str]:
    return [record_id(n) for n in numbers]


def test_a_receiver_that_is_down_is_left_alone_but_for_one_test_at_a_time(house: House) -> None:
    house.receiver.answers = lambda _: UNREACHED
    house.store(*range(100))
    house.delivery.start()
    house.settle()
    at_first = len(house.receiver.posts)
    assert at_first <= 4 + 8

    for _ in range(10):
        house.pass_time(MAX / 10)

    assert len(house.receiver.posts) == at_first + 10
    assert house.states() == {"pending": 100}


def test_a_lane_that_may_be_tested_rests_while_nothing_is_due(house: House) -> None:
    house.receiver.answers = lambda _: UNREACHED
    house.store(*range(5))
    house.delivery.start()
    house.settle()
    for n in range(5):
        house.change(n, next_at=house.clock.now() + 200_000)
    before = house.storage.runs

    house.clock.advance(40.0)
    house.delivery.wake()
    for _ in range(100):
        gevent.sleep(0.0005)

    assert house.storage.runs - before < 5
    assert house.delivery.breaker.wait(house.clock.monotonic()) == 0


def test_once_a_test_succeeds_everything_is_due_at_once_oldest_first(house: House) -> None:
    house.receiver.answers = lambda _: UNREACHED
    house.store(*range(200))
    house.clock.advance(60)
    house.delivery.start()
    house.settle()
    house.receiver.answers = lambda _: STORED
    before = len(house.receiver.posts)

    house.pass_time(1.0)

    assert house.states() == {"delivered": 200}
    drained = house.receiver.ids[before + 1 :]
    positions = [drained.index(record_id(n)) for n in range(200) if record_id(n) in drained]
    assert all(later > earlier - 8 * SENDERS for earlier, later in pairwise(positions))


def test_an_hour_without_receiver_costs_nobody_an_attempt_more_than_the_schedule_says(house: House) -> None:
    sent: dict[str, list[float]] = defaultdict(list)

    def down(one: str) -> Result:
        sent[one].append(house.clock.monotonic())
        return UNREACHED

    house.receiver.answers = down
    house.store(*range(300))
    house.delivery.start()
    house.settle()
    for _ in range(360):
        house.pass_time(10.0)

    assert house.states() == {"pending": 300}
    assert len(house.receiver.posts) < 8 + 3600 / 10
    assert max(map(len, sent.values())) <= 3, "each test takes another record"
    assert max(house.row(n).waited_ms for n in range(300)) < 10_000, "an outage is held against nobody"

    house.receiver.answers = lambda _: STORED
    house.pass_time(30.0)
    assert house.states() == {"delivered": 300}
    assert house.receiver.most_at_once == 8


def test_entries_in_doubt_are_looked_up_when_the_receiver_is_back(house: House) -> None:
    house.receiver.answers = lambda _: FAILED
    house.store(*range(20))
    house.delivery.start()
    house.settle()
    in_doubt = {record_id(n) for n in range(20) if house.row(n).in_doubt}

    house.receiver.answers = lambda _: STORED
    house.receiver.found = lambda one: of_lookup(200) if one in in_doubt else None
    house.pass_time(1.0)

    assert house.states() == {"delivered": 20}
    assert set(house.receiver.lookups) >= in_doubt
    assert max(house.receiver.times.values()) == 1


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_wrong_deployment_pauses_the_lane_and_kills_nobody(house: House, status: int) -> None:
    house.receiver.answers = lambda _: of_post(status)
    house.store(*range(30))
    house.delivery.start()
    house.settle()
    at_first = len(house.receiver.posts)
    assert at_first <= 8
    assert house.delivery.breaker.trouble == f"HTTP {status}"

    house.pass_time(MAX - 1)
    assert len(house.receiver.posts) == at_first
    for probes in range(1, 4):
        house.pass_time(MAX)
        assert len(house.receiver.posts) == at_first + probes

    house.receiver.answers = lambda _: STORED
    house.pass_time(MAX)
    assert house.states() == {"delivered": 30}
    assert house.receiver.lookups == [], "none of them was ever in doubt"


def test_a_receiver_that_refuses_every_record_alike_kills_none(house: House) -> None:
    house.receiver.answers = lambda _: of_post(422)
    house.store(*range(50))
    house.delivery.start()
    house.settle()

    assert house.states() == {"pending": 50}
    assert len(house.receiver.posts) < 10 + 8
    assert house.delivery.breaker.state.value == "paused"

    house.receiver.answers = lambda _: STORED
    house.pass_time(MAX)
    assert house.states() == {"delivered": 50}
    assert house.delivery.breaker.trouble is None


def test_a_receiver_that_refuses_every_record_alike_kills_none_also_when_the_lane_is_paused_meanwhile(
    house: House,
) -> None:
    house.receiver.answers = lambda _: of_post(422)
    house.store(*range(9))
    house.delivery.start()
    house.settle()
    house.receiver.answers = lambda _: of_post(401)
    house.store(9)
    house.settle()
    assert house.states() == {"dead": 9, "pending": 1}

    house.receiver.answers = lambda _: of_post(422)
    house.pass_time(MAX)

    assert house.states() == {"pending": 10}
    assert house.delivery.breaker.state.value == "paused"


def test_fewer_refusals_than_ten_are_the_records_own(house: House) -> None:
    house.receiver.answers = lambda one: of_post(422) if one < record_id(9) else STORED
    house.store(*range(50))
    house.delivery.start()
    house.settle()

    assert house.states() == {"dead": 9, "delivered": 41}


def test_refusals_in_a_row_are_counted_on_after_a_restart(house: House) -> None:
    house.receiver.answers = lambda _: of_post(422)
    house.store(*range(9))
    house.delivery.start()
    house.settle()
    assert house.states() == {"dead": 9}
    house.delivery.stop(1.0)

    house.delivery = house.new_delivery()
    house.store(9)
    house.delivery.start()
    house.settle()

    assert house.states() == {"pending": 10}
    assert house.delivery.breaker.state.value == "paused"


def test_retry_after_is_obeyed_by_everybody(house: House) -> None:
    house.receiver.answers = lambda _: of_post(429, 400.0)
    house.store(1)
    house.delivery.start()
    house.settle()
    house.receiver.answers = lambda _: STORED
    house.store(2)

    house.pass_time(399.0)
    assert house.receiver.ids == ids(1)
    house.pass_time(1.0)
    assert sorted(house.receiver.ids) == ids(1, 1, 2)


def test_records_that_always_fail_hold_up_nobody(house: House) -> None:
    house.receiver.answers = lambda one: FAILED if one < record_id(100) else STORED
    house.store(*range(50))
    house.delivery.start()
    house.settle()

    for n in range(100, 150):
        house.store(n)
        house.pass_time(1.0)
    house.pass_time(MAX / 10)

    assert house.states()["delivered"] == 50


def test_a_crowd_of_hanging_records_leaves_senders_to_the_others(house: House) -> None:
    hanging = range(50)
    house.receiver.hangs = set(ids(*hanging))
    house.store(*hanging, attempt=1)
    house.delivery.start()
    until(lambda: house.receiver.at_once == 6)

    house.store(*range(100, 200))

    until(lambda: house.states()["delivered"] == 100)
    assert house.receiver.at_once == 6


def test_newcomers_are_served_beside_a_backlog(house: House) -> None:
    house.store(*range(400))
    house.clock.advance(3600)
    house.store(*range(1000, 1010))

    house.delivery.start()
    house.settle()

    places = [house.receiver.ids.index(record_id(n)) for n in range(1000, 1010)]
    assert max(places) < 100, "they did not wait for 400 others"
    old = [one for one in house.receiver.ids if one < record_id(1000)]
    assert old.index(record_id(0)) < 16
    assert old.index(record_id(399)) > 380, "oldest first among the others"


def test_a_late_success_lets_a_broken_lane_flow_again(house: House) -> None:
    house.receiver.hangs = set(ids(1))
    house.receiver.answers = lambda one: STORED if one == record_id(1) else UNREACHED
    house.store(*range(1, 9))
    house.delivery.start()
    until(lambda: house.delivery.breaker.trouble)

    house.receiver.answers = lambda _: STORED
    house.receiver.hangs = set()
    house.receiver.release.set()
    house.settle()

    assert house.states() == {"delivered": 8}


def test_a_broken_lane_says_so_and_says_when_it_is_mended(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.receiver.answers = lambda _: UNREACHED
    house.store(*range(10))
    house.delivery.start()
    house.settle()
    house.receiver.answers = lambda _: STORED
    house.pass_time(1.0)

    told = [line for line in capsys.readouterr().out.splitlines() if "delivery_lane" in line]
    assert ["broken" in told[0], "flowing" in told[-1], len(told)] == [True, True, 2]


def test_attempts_are_counted_by_how_they_ended(house: House) -> None:
    answers = {record_id(1): of_post(422), record_id(2): FAILED}
    house.receiver.answers = lambda one: answers.get(one, STORED)
    house.store(1, 2, 3)
    house.delivery.start()
    house.settle()

    assert Counter(house.outcomes()) == {"delivered": 1, "dead": 1, "failed": 1}
