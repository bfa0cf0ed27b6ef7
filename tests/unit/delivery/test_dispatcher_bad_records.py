"""Delivery while single records are answered badly and the others are not: a bad record stops only itself."""

from collections.abc import Callable, Iterable

import pytest

from genesys_gateway.delivery.evidence import BLAME_AFTER, BREAK_AFTER
from genesys_gateway.delivery.outcome import Result, of_post
from tests.doubles.delivery import LONGEST_BACK_OFF, STORED, DeliveryWithDoubles, record_id, record_ids

#: A record every two seconds.
STEP = 2.0


def answering(bad: Iterable[int], result: Result) -> Callable[[str], Result]:
    """Answers that store every record but these."""
    ids = set(record_ids(*bad))
    return lambda one: result if one in ids else STORED


class Traffic:
    """New records, one every two seconds, each with the time until it was stored."""

    def __init__(self, delivery: DeliveryWithDoubles) -> None:
        self._delivery = delivery
        self._next = 1000
        self.stopped = 0

    def run(self, seconds: float, step: float = STEP) -> None:
        """Let records come for that time, one each step."""
        for _ in range(int(seconds / step)):
            self._delivery.store(self._next)
            self._next += 1
            self._delivery.pass_time(step)
            self.stopped += not self._delivery.breaker.flowing or self._delivery.breaker.wait(self._now) != 0

    def run_with_bad(self, bad: Iterable[int], seconds: float) -> None:
        """Let one of the bad records come before each other."""
        for n in bad:
            self._delivery.store(n)
            self.run(STEP)
        self.run(seconds)

    @property
    def _now(self) -> float:
        return self._delivery.clock.monotonic()


@pytest.mark.parametrize("status", [302, 307, 403, 404])
@pytest.mark.parametrize("count", [1, 2, 8])
def test_records_turned_away_among_others_are_dead_after_five_times_and_stop_nobody(
    delivery: DeliveryWithDoubles, status: int, count: int
) -> None:
    delivery.receiver.answers = answering(range(count), of_post(status))
    traffic = Traffic(delivery)
    delivery.start()

    traffic.run_with_bad(range(count), 40.0)

    assert delivery.states()["dead"] == count
    assert {delivery.row(n).reason for n in range(count)} == {f"refused with HTTP {status}"}
    assert {delivery.receiver.times[record_id(n)] for n in range(count)} == {BLAME_AFTER}
    assert traffic.stopped == 0


@pytest.mark.parametrize("count", [3, 5])
def test_three_turned_away_in_a_row_by_chance_pause_delivery_once(delivery: DeliveryWithDoubles, count: int) -> None:
    delivery.receiver.answers = answering(range(count), of_post(403))
    traffic = Traffic(delivery)
    delivery.start()
    delivery.store(*range(count))
    delivery.settle()
    assert delivery.breaker.state.value == "paused"

    traffic.run(LONGEST_BACK_OFF, step=10.0)
    assert delivery.breaker.flowing, "the first probe was another record"
    stopped = traffic.stopped
    traffic.run(80.0)

    assert traffic.stopped == stopped
    assert delivery.states()["dead"] == count
    assert set(delivery.states()) == {"dead", "delivered"}


def test_nothing_else_gets_through_and_nobody_is_dead(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda _: of_post(403)
    delivery.store(1, 2)
    delivery.start()
    delivery.settle()

    for _ in range(40):
        delivery.pass_time(LONGEST_BACK_OFF)
    assert delivery.states() == {"pending": 2}
    assert min(delivery.receiver.times.values()) > 4 * BLAME_AFTER
    assert delivery.row(1).waited_ms == 0

    delivery.receiver.answers = lambda _: STORED
    delivery.pass_time(LONGEST_BACK_OFF)
    assert delivery.states() == {"delivered": 2}


@pytest.mark.parametrize("count", [1, 4])
def test_a_long_retry_after_of_single_records_stops_nobody(delivery: DeliveryWithDoubles, count: int) -> None:
    delivery.receiver.answers = answering(range(count), of_post(503, 60.0))
    traffic = Traffic(delivery)
    delivery.start()

    traffic.run_with_bad(range(count), 200.0)

    assert traffic.stopped == 0
    assert max(delivery.receiver.times[record_id(n)] for n in range(count)) <= 4
    assert delivery.states()["pending"] == count


def test_credentials_refused_for_one_record_only_pause_delivery_once(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = answering([0], of_post(401))
    traffic = Traffic(delivery)
    delivery.start()
    delivery.store(0)

    traffic.run(LONGEST_BACK_OFF, step=10.0)
    stopped = traffic.stopped
    traffic.run(60.0)

    assert traffic.stopped == stopped
    assert delivery.states()["pending"] == 1


def test_some_are_turned_away_and_some_fail_and_the_others_go_on(delivery: DeliveryWithDoubles) -> None:
    turned_away, failing = set(record_ids(0, 2, 4, 6)), set(record_ids(1, 3, 5, 7))
    delivery.receiver.answers = lambda one: (
        of_post(403) if one in turned_away else of_post(503) if one in failing else STORED
    )
    traffic = Traffic(delivery)
    delivery.start()

    traffic.run_with_bad(range(8), 60.0)

    assert traffic.stopped == 0
    assert delivery.states()["dead"] == len(turned_away)
    assert delivery.states()["pending"] == len(failing)


def test_what_was_counted_against_a_record_survives_restarts(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = answering([0], of_post(404))
    traffic = Traffic(delivery)
    delivery.start()
    delivery.store(0)

    for _ in range(12):
        traffic.run(2 * STEP)
        delivery.stop(1.0)
        delivery.new_process()
        delivery.start()

    assert delivery.states()["dead"] == 1
    assert delivery.receiver.times[record_id(0)] == BLAME_AFTER


def test_an_outage_in_which_nothing_new_comes_is_noticed_and_its_time_is_not_counted(
    delivery: DeliveryWithDoubles,
) -> None:
    count = 2 * BREAK_AFTER
    delivery.receiver.answers = answering(range(count), of_post(503))
    traffic = Traffic(delivery)
    delivery.start()
    traffic.run_with_bad(range(count), 10.0)
    assert delivery.breaker.flowing

    for _ in range(80):
        delivery.pass_time(40.0)

    assert delivery.breaker.state.value == "broken"
    assert max(delivery.row(n).waited_ms for n in range(count)) < 4 * LONGEST_BACK_OFF * 1000
    delivery.receiver.answers = lambda _: STORED
    delivery.pass_time(LONGEST_BACK_OFF / 10)
    assert delivery.states()["pending"] == 0


def test_a_probe_waits_a_moment_for_the_names_of_a_record_that_has_not_failed(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda one: STORED if one == record_id(9) else of_post(403)
    delivery.store(1, 2, 3)
    delivery.start()
    delivery.settle()
    delivery.names.silent = {"u"}
    delivery.store(9, user_id="u")
    before = len(delivery.receiver.posts)

    delivery.pass_time(LONGEST_BACK_OFF)
    assert len(delivery.receiver.posts) == before
    delivery.names.silent = set()
    delivery.names.answer_silent.set()
    delivery.settle()

    assert delivery.receiver.ids[before] == record_id(9)


def test_a_probe_does_not_wait_long_for_names(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda _: of_post(403)
    delivery.store(1, 2, 3)
    delivery.start()
    delivery.settle()
    delivery.names.silent = {"u"}
    delivery.store(9, user_id="u")
    before = len(delivery.receiver.posts)

    delivery.pass_time(LONGEST_BACK_OFF)
    delivery.pass_time(delivery.settings.http_timeout_seconds)

    assert len(delivery.receiver.posts) == before + 1
