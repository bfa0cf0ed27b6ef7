"""Calls are scarce above half of the limit, and batching does not hide that."""

from collections.abc import Callable

import pytest

from genesys_gateway.genesys.load import Load
from genesys_gateway.genesys.rate_limiter import WINDOW_SECONDS, Priority, RateLimiter
from tests.doubles.runtime import FakeClock


class Traffic:
    """A load with a limit of 300 calls a minute, and calls and requests made for it second by second."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.limiter = RateLimiter(300, self.clock)
        self.load = Load(self.limiter, self.clock)
        #: whether it was busy, second by second
        self.busy: list[bool] = []

    def call(self, calls: int, priority: Priority) -> None:
        for _ in range(calls):
            with self.limiter.take(priority):
                pass

    def run(self, seconds: int, turn: Callable[[int], None]) -> list[bool]:
        """Call ``turn`` once a second with the number of the second; returns whether it was busy after each."""
        busy = []
        for second in range(seconds):
            turn(second)
            busy.append(self.load.busy)
            self.clock.advance(1)
        return busy

    def registrations(self, a_minute: int) -> Callable[[int], None]:
        """So many a minute: up to three subscription calls a second, one while busy; a live question each if idle."""

        def turn(second: int) -> None:
            arrived = a_minute * (second + 1) // 60 - a_minute * second // 60
            self.load.requested(arrived)
            busy = self.load.busy
            self.call(min(arrived, 1 if busy else 3), Priority.SUBSCRIPTIONS)
            self.call(arrived if self.load.used() < 1 / 2 else 0, Priority.LIVE_QUESTIONS)
            self.call(second % 4 == 0, Priority.BULK_QUESTIONS)

        return turn


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


def test_nothing_is_busy_at_the_start(traffic: Traffic) -> None:
    assert not traffic.load.busy
    assert traffic.load.used() == 0
    assert traffic.load.calls_left() == 300


def test_100_registrations_a_minute_with_a_live_question_each_are_never_busy(traffic: Traffic) -> None:
    assert not any(traffic.run(600, traffic.registrations(100)))


def test_500_a_minute_are_busy_within_a_minute_and_stay_busy(traffic: Traffic) -> None:
    busy = traffic.run(900, traffic.registrations(500))

    assert busy[:60].count(True) > 0
    assert all(busy[60:])
    assert traffic.limiter.calls_of(Priority.SUBSCRIPTIONS) <= 60


def test_a_minute_after_the_load_has_ended_it_is_not_busy(traffic: Traffic) -> None:
    traffic.run(300, traffic.registrations(500))

    busy = traffic.run(62, lambda _: None)

    assert busy[30]
    assert not busy[61]
    assert not any(traffic.run(60, traffic.registrations(60)))


def test_3000_registered_at_once_are_not_busy_by_themselves(traffic: Traffic) -> None:
    traffic.load.requested(3000)
    traffic.call(3, Priority.CHANNELS)
    traffic.call(8, Priority.SUBSCRIPTIONS)

    assert not any(traffic.run(120, lambda _: None))


@pytest.mark.parametrize("priority", [one for one in Priority if one is not Priority.LIVE_QUESTIONS])
def test_more_than_half_of_the_limit_is_busy_whatever_class_uses_it(traffic: Traffic, priority: Priority) -> None:
    traffic.call(150, priority)
    assert not traffic.load.busy
    traffic.call(1, priority)
    assert traffic.load.busy


def test_live_questions_are_not_busy_however_many_there_are(traffic: Traffic) -> None:
    traffic.call(240, Priority.LIVE_QUESTIONS)

    assert not traffic.load.busy
    assert traffic.load.used() == pytest.approx(0.8)


def test_calls_by_another_user_of_the_token_count(traffic: Traffic) -> None:
    traffic.limiter.observe({"inin-ratelimit-count": "151"})

    assert traffic.load.busy


def test_once_busy_a_requested_topic_counts_as_a_call_until_a_minute_has_passed(traffic: Traffic) -> None:
    traffic.call(151, Priority.NAMES)
    assert traffic.load.busy
    traffic.clock.advance(30)
    traffic.load.requested(200)
    traffic.load.requested(200)
    traffic.clock.advance(59.9)
    assert traffic.load.busy
    traffic.clock.advance(1.1)
    assert not traffic.load.busy


def test_half_of_the_limit_ends_it(traffic: Traffic) -> None:
    traffic.call(151, Priority.NAMES)
    assert traffic.load.busy
    traffic.clock.advance(WINDOW_SECONDS)
    traffic.load.requested(100)
    traffic.call(50, Priority.BULK_QUESTIONS)

    assert not traffic.load.busy


def test_more_subscription_calls_than_requested_topics_count_as_they_are(traffic: Traffic) -> None:
    traffic.call(151, Priority.SUBSCRIPTIONS)
    traffic.load.requested(3)

    assert [traffic.load.busy for _ in range(3)] == [True, True, True]


def test_the_share_used_is_never_more_than_1_and_follows_a_lower_limit(traffic: Traffic) -> None:
    traffic.call(30, Priority.NAMES)
    assert traffic.load.used() == pytest.approx(0.1)

    traffic.limiter.observe({"inin-ratelimit-allowed": "20"})

    assert traffic.load.used() == 1
    assert traffic.load.busy
    assert traffic.load.calls_left() == 0


def test_no_calls_are_left_during_a_pause(traffic: Traffic) -> None:
    traffic.limiter.pause(5)
    assert traffic.load.calls_left() == 0
    traffic.clock.advance(5)
    assert traffic.load.calls_left() == 300


def test_the_requests_of_a_minute_need_little_memory(traffic: Traffic) -> None:
    for _ in range(100_000):
        traffic.load.requested(1)
        traffic.clock.advance(0.01)

    assert len(traffic.load._demand._by_second) <= 62


def test_calls_are_plenty_while_half_of_them_are_left_to_live_questions_too(traffic: Traffic) -> None:
    traffic.call(149, Priority.LIVE_QUESTIONS)
    assert traffic.load.plenty
    traffic.call(1, Priority.LIVE_QUESTIONS)
    assert not traffic.load.plenty
    assert not traffic.load.busy
