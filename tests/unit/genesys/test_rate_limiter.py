"""How many calls go out in a minute, and in which order."""

from collections.abc import Callable
from random import Random

import gevent
import pytest
from gevent.event import Event

from genesys_gateway.genesys.rate_limiter import WINDOW_SECONDS, Priority, RateLimiter
from genesys_gateway.runtime.errors import TransientFailure
from tests.doubles.runtime import FakeClock, until


def spend(limiter: RateLimiter, calls: int, priority: Priority = Priority.NAMES) -> None:
    """Make that many calls, one after the other."""
    for _ in range(calls):
        with limiter.take(priority):
            pass


class HeldClock(FakeClock):
    """A clock on which ``sleep`` lasts until the test advances it."""

    def sleep(self, seconds: float) -> None:
        end = self.monotonic() + seconds
        until(lambda: self.monotonic() >= end)


def headers(counted: object, allowed: object = 300, reset: object = 60) -> dict[str, str]:
    return {
        "inin-ratelimit-count": str(counted),
        "inin-ratelimit-allowed": str(allowed),
        "inin-ratelimit-reset": str(reset),
    }


def waited(clock: FakeClock, work: Callable[[], object]) -> float:
    """Seconds that the work takes on the clock."""
    begun = clock.monotonic()
    work()
    return clock.monotonic() - begun


def test_calls_within_the_limit_do_not_wait() -> None:
    clock = FakeClock()

    spend(RateLimiter(300, clock), 300)

    assert clock.slept == []


def test_one_call_more_waits_until_the_first_has_left_the_window() -> None:
    clock = FakeClock()
    limiter = RateLimiter(3, clock)
    spend(limiter, 1)
    clock.advance(10)
    spend(limiter, 2)

    assert waited(clock, lambda: spend(limiter, 1)) == pytest.approx(50)
    assert waited(clock, lambda: spend(limiter, 2)) == pytest.approx(10)


def test_a_call_counts_until_a_minute_after_its_end() -> None:
    clock = FakeClock()
    limiter = RateLimiter(1, clock)
    with limiter.take(Priority.NAMES):
        clock.advance(4)

    assert waited(clock, lambda: spend(limiter, 1)) == pytest.approx(WINDOW_SECONDS)


def test_calls_under_way_count() -> None:
    limiter = RateLimiter(2, HeldClock())

    with limiter.take(Priority.NAMES), limiter.take(Priority.NAMES):
        third = gevent.spawn(spend, limiter, 1)
        gevent.sleep(0)
        assert not third.dead
        third.kill()


@pytest.mark.parametrize("seed", range(10))
def test_no_minute_sees_more_calls_than_allowed_wherever_in_a_call_the_server_counts_it(seed: int) -> None:
    clock, random, limit = FakeClock(), Random(seed), 7
    limiter = RateLimiter(limit, clock)
    spans: list[tuple[float, float]] = []

    def work() -> None:
        for _ in range(10):
            with limiter.take(Priority(random.randrange(5))):
                begun = clock.monotonic()
                clock.sleep(random.choice([0, 0.1, 5]))
                spans.append((begun, clock.monotonic()))
            clock.sleep(random.choice([0, 1, 20]))

    gevent.joinall([gevent.spawn(work) for _ in range(5)], raise_error=True)

    assert len(spans) == 50
    for begun, _ in spans:
        # The calls that the server may have counted in the minute before this one began, and this one itself.
        counted = [end for start, end in spans if start <= begun and end > begun - WINDOW_SECONDS + 1e-6]
        assert len(counted) <= limit


def test_the_most_urgent_is_served_first_and_equals_in_order() -> None:
    clock = HeldClock()
    limiter = RateLimiter(1, clock)
    spend(limiter, 1)
    served: list[str] = []

    def wait(name: str, priority: Priority) -> None:
        with limiter.take(priority):
            served.append(name)

    arrivals = [
        ("live question", Priority.LIVE_QUESTIONS),
        ("bulk question", Priority.BULK_QUESTIONS),
        ("name 1", Priority.NAMES),
        ("channel", Priority.CHANNELS),
        ("name 2", Priority.NAMES),
        ("subscription", Priority.SUBSCRIPTIONS),
    ]
    waiters = [gevent.spawn(wait, *one) for one in arrivals]
    gevent.sleep(0)
    for number in range(1, len(arrivals) + 1):
        clock.advance(WINDOW_SECONDS)
        until(lambda number=number: len(served) == number)  # type: ignore[misc]
    gevent.joinall(waiters, raise_error=True)

    assert served == ["channel", "subscription", "name 1", "name 2", "bulk question", "live question"]


@pytest.mark.parametrize("killed", [0, 1, 2])
def test_a_killed_waiter_leaves_no_trace(killed: int) -> None:
    clock = HeldClock()
    limiter = RateLimiter(1, clock)
    spend(limiter, 1)
    waiters = [gevent.spawn(spend, limiter, 1) for _ in range(3)]
    gevent.sleep(0)

    waiters[killed].kill()
    others = [one for one in waiters if not one.dead]
    for _ in others:
        clock.advance(WINDOW_SECONDS)
        done = sum(one.dead for one in others)
        until(lambda done=done: sum(one.dead for one in others) > done)  # type: ignore[misc]

    clock.advance(WINDOW_SECONDS)
    assert waited(clock, lambda: spend(limiter, 1)) == 0


def test_a_call_that_fails_counts_too_and_one_that_was_killed() -> None:
    clock = FakeClock()
    limiter = RateLimiter(2, clock)

    def fail() -> None:
        with limiter.take(Priority.NAMES):
            raise TransientFailure("no answer")

    def hang() -> None:
        with limiter.take(Priority.NAMES):
            gevent.sleep(60)

    with pytest.raises(TransientFailure):
        fail()
    greenlet = gevent.spawn(hang)
    gevent.sleep(0)
    greenlet.kill()

    assert waited(clock, lambda: spend(limiter, 1)) == pytest.approx(WINDOW_SECONDS)


def test_with_every_connection_in_use_the_most_urgent_gets_the_next_one() -> None:
    limiter = RateLimiter(300, HeldClock(), connections=2)
    served: list[str] = []
    ends: list[Event] = []

    def call(name: str, priority: Priority) -> None:
        with limiter.take(priority):
            served.append(name)
            ends.append(end := Event())
            end.wait()

    arrivals = [
        ("question 1", Priority.LIVE_QUESTIONS),
        ("question 2", Priority.LIVE_QUESTIONS),
        ("question 3", Priority.LIVE_QUESTIONS),
        ("name", Priority.NAMES),
        ("channel", Priority.CHANNELS),
    ]
    calls = []
    for one in arrivals:
        calls.append(gevent.spawn(call, *one))
        gevent.sleep(0.001)
    for number in range(len(arrivals)):
        assert len(served) - number <= 2
        ends[number].set()
        until(lambda number=number: len(served) == min(number + 3, len(arrivals)))  # type: ignore[misc]
    gevent.joinall(calls, raise_error=True)

    assert served == ["question 1", "question 2", "channel", "name", "question 3"]


def test_a_pause_that_comes_while_one_waits_for_a_connection_holds_it_too() -> None:
    clock = HeldClock()
    limiter = RateLimiter(300, clock, connections=1)
    with limiter.take(Priority.NAMES):
        waiters = [gevent.spawn(spend, limiter, 1) for _ in range(3)]
        gevent.sleep(0.01)
        limiter.pause(30)
    gevent.sleep(0.02)
    assert not any(one.dead for one in waiters)

    clock.advance(30)

    until(lambda: all(one.dead for one in waiters))


def test_a_waiter_killed_before_it_had_a_connection_takes_none() -> None:
    limiter = RateLimiter(300, HeldClock(), connections=1)
    with limiter.take(Priority.NAMES):
        first, second = (gevent.spawn(spend, limiter, 1) for _ in range(2))
        gevent.sleep(0.01)
        first.kill()
    until(lambda: second.dead)


def test_nobody_passes_before_a_pause_is_over() -> None:
    clock = FakeClock()
    limiter = RateLimiter(300, clock)
    limiter.pause(20)
    limiter.pause(5)

    assert waited(clock, lambda: spend(limiter, 1, Priority.CHANNELS)) == pytest.approx(20)
    assert waited(clock, lambda: spend(limiter, 1)) == 0


def test_a_pause_that_comes_while_one_waits_holds_it_too() -> None:
    clock = HeldClock()
    limiter = RateLimiter(1, clock)
    spend(limiter, 1)
    waiter = gevent.spawn(spend, limiter, 1)
    gevent.sleep(0)

    limiter.pause(90)
    clock.advance(60)
    gevent.sleep(0.02)
    assert not waiter.dead
    clock.advance(30)
    until(lambda: waiter.dead)


def test_what_the_server_counted_beyond_ours_is_believed_until_its_reset() -> None:
    clock = FakeClock()
    limiter = RateLimiter(300, clock)
    spend(limiter, 10)

    limiter.observe(headers(counted=299, reset=25))
    limiter.observe(headers(counted=299, reset=25))

    assert waited(clock, lambda: spend(limiter, 1)) == 0
    assert waited(clock, lambda: spend(limiter, 1)) == pytest.approx(25)


def test_what_the_server_counted_may_have_ended_at_the_moment_of_a_call_of_ours() -> None:
    clock = FakeClock()
    limiter = RateLimiter(4, clock)
    spend(limiter, 1)

    limiter.observe(headers(counted=3))
    limiter.observe(headers(counted=4))

    assert waited(clock, lambda: spend(limiter, 1)) == pytest.approx(WINDOW_SECONDS)


def test_a_lower_count_of_the_server_frees_nothing() -> None:
    clock = FakeClock()
    limiter = RateLimiter(5, clock)
    spend(limiter, 5)

    limiter.observe(headers(counted=0, reset=1))

    assert waited(clock, lambda: spend(limiter, 1)) == pytest.approx(WINDOW_SECONDS)


def test_a_lower_limit_of_the_server_is_obeyed_and_a_higher_one_is_not_used() -> None:
    clock = FakeClock()
    limiter = RateLimiter(100, clock)
    limiter.observe(headers(counted=0, allowed=2))
    spend(limiter, 2)

    assert waited(clock, lambda: spend(limiter, 1)) == pytest.approx(WINDOW_SECONDS)

    clock.advance(WINDOW_SECONDS)
    limiter.observe(headers(counted=0, allowed=1000))
    spend(limiter, 100)
    assert waited(clock, lambda: spend(limiter, 1)) == pytest.approx(WINDOW_SECONDS)


@pytest.mark.parametrize("nonsense", ["", "-1", "1e9", "nan", "٣", "9" * 5000, "9" * 10, "0"])
def test_headers_that_make_no_sense_change_nothing(nonsense: str) -> None:
    clock = FakeClock()
    limiter = RateLimiter(3, clock)

    limiter.observe({})
    limiter.observe(headers(nonsense, nonsense, nonsense))
    spend(limiter, 3)

    assert clock.slept == []


def test_a_count_without_a_reset_is_believed_for_a_minute() -> None:
    clock = FakeClock()
    limiter = RateLimiter(3, clock)

    limiter.observe({"inin-ratelimit-count": "999999"})

    assert waited(clock, lambda: spend(limiter, 1)) == pytest.approx(60)


def test_a_call_under_way_is_among_those_that_the_server_counted() -> None:
    clock = FakeClock()
    limiter = RateLimiter(2, clock)
    with limiter.take(Priority.NAMES):
        limiter.observe(headers(counted=1))

    assert waited(clock, lambda: spend(limiter, 1)) == 0


def test_a_count_of_nine_digits_is_believed() -> None:
    clock = FakeClock()
    limiter = RateLimiter(3, clock)

    limiter.observe(headers(counted="9" * 9))

    assert waited(clock, lambda: spend(limiter, 1)) == WINDOW_SECONDS


def test_a_wait_is_one_sleep_to_the_moment() -> None:
    clock = FakeClock()
    limiter = RateLimiter(1, clock)
    limiter.pause(16)
    spend(limiter, 1)

    spend(limiter, 1)

    assert clock.slept == [16.0, WINDOW_SECONDS]


def test_a_pause_delays_calls_that_have_room_and_a_full_window_those_after_the_pause() -> None:
    clock = FakeClock()
    limiter = RateLimiter(2, clock)
    with limiter.take(Priority.NAMES):
        limiter.pause(8)

    assert waited(clock, lambda: spend(limiter, 1)) == 8
    assert waited(clock, lambda: spend(limiter, 1)) == WINDOW_SECONDS - 8


def test_calls_are_exhausted_while_one_waits_and_none_is_left() -> None:
    clock = HeldClock()
    limiter = RateLimiter(2, clock)
    spend(limiter, 2)
    assert limiter.exhausted_since() is None
    began = clock.monotonic()

    waiter = gevent.spawn(spend, limiter, 1)
    until(lambda: limiter.exhausted_since() == began)
    clock.advance(WINDOW_SECONDS)
    waiter.join()

    assert limiter.exhausted_since() is None


def test_a_question_that_leaves_calls_to_the_others_does_not_mean_that_they_are_exhausted() -> None:
    clock = HeldClock()
    limiter = RateLimiter(10, clock)
    spend(limiter, 8, Priority.BULK_QUESTIONS)

    waiter = gevent.spawn(spend, limiter, 1, Priority.BULK_QUESTIONS)
    until(lambda: limiter.waiting(Priority.BULK_QUESTIONS))

    assert limiter.exhausted_since() is None
    waiter.kill()
