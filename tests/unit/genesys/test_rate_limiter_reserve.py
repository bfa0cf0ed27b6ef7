"""Questions leave a reserve, so that channels, subscriptions and names do not wait for them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent.event import Event
from hypothesis import given, settings
from hypothesis import strategies as st

from genesys_gateway.genesys.rate_limiter import WINDOW_SECONDS, Priority, RateLimiter
from tests.doubles.channels import PacedClock
from tests.doubles.runtime import FakeClock, until

QUESTIONS = [one for one in Priority if one.is_question]
URGENT = [one for one in Priority if not one.is_question]


def spend(limiter: RateLimiter, calls: int, priority: Priority) -> None:
    for _ in range(calls):
        with limiter.take(priority):
            pass


def waited(clock: FakeClock, work: Callable[[], object]) -> float:
    """Seconds that the work takes on the clock."""
    begun = clock.monotonic()
    work()
    return clock.monotonic() - begun


@contextmanager
def asking(limiter: RateLimiter, clock: FakeClock, *, seconds_each: float = 0.08) -> Iterator[list[float]]:
    """Ask one question after the other in two greenlets, as fast as permitted; yields the times at which each began."""
    times: list[float] = []

    def ask(priority: Priority) -> None:
        while True:
            with limiter.take(priority):
                times.append(clock.monotonic())
                clock.sleep(seconds_each)

    greenlets = [gevent.spawn(ask, one) for one in QUESTIONS]
    yield times
    gevent.killall(greenlets)


def pass_time(clock: FakeClock, seconds: float, step: float = 0.25) -> None:
    """Let the time pass in steps that all sleepers see."""
    for _ in range(round(seconds / step)):
        clock.advance(step)
        for _ in range(4):
            gevent.sleep(0)


def test_only_the_two_kinds_of_questions_leave_a_reserve() -> None:
    assert QUESTIONS == [Priority.BULK_QUESTIONS, Priority.LIVE_QUESTIONS]


@pytest.mark.parametrize("priority", QUESTIONS)
def test_questions_leave_a_fifth_of_the_calls_to_the_others(priority: Priority) -> None:
    clock = FakeClock()
    limiter = RateLimiter(100, clock)

    spend(limiter, 80, priority)
    assert clock.slept == []

    assert waited(clock, lambda: spend(limiter, 20, Priority.NAMES)) == 0
    assert waited(clock, lambda: spend(limiter, 1, priority)) == pytest.approx(WINDOW_SECONDS)


def test_the_reserve_is_what_the_others_have_not_taken_of_their_fifth_yet() -> None:
    clock = FakeClock()
    limiter = RateLimiter(100, clock)

    spend(limiter, 10, Priority.NAMES)

    assert waited(clock, lambda: spend(limiter, 80, Priority.BULK_QUESTIONS)) == 0
    assert waited(clock, lambda: spend(limiter, 1, Priority.BULK_QUESTIONS)) == pytest.approx(WINDOW_SECONDS)


def test_the_reserve_grows_with_what_the_others_use() -> None:
    clock = FakeClock()
    limiter = RateLimiter(100, clock)

    spend(limiter, 40, Priority.SUBSCRIPTIONS)

    assert waited(clock, lambda: spend(limiter, 50, Priority.BULK_QUESTIONS)) == 0
    assert waited(clock, lambda: spend(limiter, 1, Priority.BULK_QUESTIONS)) == pytest.approx(WINDOW_SECONDS)


def test_calls_of_the_others_that_are_under_way_count_for_the_reserve() -> None:
    clock = FakeClock()
    limiter = RateLimiter(20, clock)

    with gevent.Timeout(20), limiter.take(Priority.NAMES), limiter.take(Priority.NAMES), limiter.take(Priority.NAMES):
        spend(limiter, 16, Priority.LIVE_QUESTIONS)

        assert clock.slept == []
        assert limiter.calls_left() == 1


@pytest.mark.parametrize("limit", range(1, 8))
@pytest.mark.parametrize("urgent", [0, 1])
def test_with_the_smallest_limits_a_question_is_permitted_too(limit: int, urgent: int) -> None:
    clock = FakeClock()
    limiter = RateLimiter(limit, clock)

    for _ in range(20):
        spend(limiter, urgent, Priority.SUBSCRIPTIONS)
        spend(limiter, 1, Priority.LIVE_QUESTIONS)

    assert clock.monotonic() < 1000 + 21 * (1 + urgent) * WINDOW_SECONDS


def test_a_question_is_permitted_even_if_the_others_use_nearly_everything() -> None:
    clock = FakeClock()
    limiter = RateLimiter(100, clock)
    spend(limiter, 99, Priority.NAMES)

    assert waited(clock, lambda: spend(limiter, 1, Priority.BULK_QUESTIONS)) == 0
    clock.advance(30)
    assert waited(clock, lambda: spend(limiter, 1, Priority.BULK_QUESTIONS)) == pytest.approx(30)


def test_a_waiting_question_is_permitted_as_soon_as_the_reserve_allows_it() -> None:
    clock = PacedClock()
    limiter = RateLimiter(100, clock)
    spend(limiter, 1, Priority.BULK_QUESTIONS)
    spend(limiter, 40, Priority.NAMES)
    clock.advance(20)
    spend(limiter, 49, Priority.BULK_QUESTIONS)
    question = gevent.spawn(spend, limiter, 1, Priority.BULK_QUESTIONS)
    gevent.sleep(0)

    clock.advance(39.9)
    gevent.sleep(0.01)
    assert not question.dead
    clock.advance(0.1)
    until(lambda: question.dead)


def test_an_urgent_call_overtakes_a_sleeping_question() -> None:
    clock = PacedClock()
    limiter = RateLimiter(100, clock)
    spend(limiter, 80, Priority.LIVE_QUESTIONS)
    question = gevent.spawn(spend, limiter, 1, Priority.LIVE_QUESTIONS)
    gevent.sleep(0)

    urgent = [gevent.spawn(spend, limiter, 1, one) for one in URGENT]
    gevent.sleep(0)

    assert [one.dead for one in (*urgent, question)] == [True, True, True, False]
    question.kill()


@pytest.mark.parametrize("a_minute", [0, 30, 60, 120, 200])
def test_the_others_never_wait_however_many_questions_there_are(a_minute: int) -> None:
    clock = PacedClock()
    limiter = RateLimiter(300, clock)

    def used() -> int:
        return sum(limiter.calls_of(one) for one in URGENT)

    def pass_a_minute() -> int:
        """Returns the smallest number of the others' calls that counted at any moment of it."""
        least = limiter.limit
        for second in range(60):
            for number in range(a_minute * second // 60, a_minute * (second + 1) // 60):
                assert at_once(limiter, URGENT[number % 3])
            pass_time(clock, 1)
            least = min(least, used())
        return least

    # Given a minute at that rate, and two more in which questions are asked as fast as permitted
    pass_a_minute()
    with asking(limiter, clock) as asked:
        pass_a_minute()
        before = len(asked)
        least = pass_a_minute()
        questions = len(asked) - before
        # When a quarter more comes at once, and never less than what is left of a fifth of the limit
        most = max(60, least * 5 // 4)
        # Then none of them waits, and the questions have got the rest
        assert all(at_once(limiter, URGENT[number % 3]) for number in range(most - used()))
    assert questions == pytest.approx(300 - most, abs=10)


def at_once(limiter: RateLimiter, priority: Priority) -> bool:
    """Make one call; whether it did not wait."""
    call = gevent.spawn(spend, limiter, 1, priority)
    gevent.sleep(0)
    return bool(call.dead)


def test_questions_leave_a_quarter_of_the_connections_to_the_others() -> None:
    limiter = RateLimiter(300, FakeClock(), connections=8)
    begun: list[Priority] = []
    end = Event()

    def call(priority: Priority) -> None:
        with limiter.take(priority):
            begun.append(priority)
            end.wait()

    calls = [gevent.spawn(call, Priority.LIVE_QUESTIONS) for _ in range(10)]
    calls += [gevent.spawn(call, Priority.CHANNELS) for _ in range(3)]
    gevent.sleep(0.01)

    assert begun == [Priority.LIVE_QUESTIONS] * 6 + [Priority.CHANNELS] * 2
    end.set()
    gevent.joinall(calls, raise_error=True)


def test_the_calls_left_are_those_of_the_most_urgent_class_and_none_during_a_pause() -> None:
    clock = FakeClock()
    limiter = RateLimiter(10, clock)
    assert limiter.calls_left() == 10

    spend(limiter, 8, Priority.LIVE_QUESTIONS)
    assert limiter.calls_left() == 2
    limiter.observe({"inin-ratelimit-allowed": "5"})
    assert limiter.calls_left() == 0
    clock.advance(WINDOW_SECONDS)
    assert limiter.calls_left() == 5
    limiter.pause(7)
    assert limiter.calls_left() == 0
    clock.advance(7)
    assert limiter.calls_left() == 5


def test_calls_are_counted_by_class_until_a_minute_after_their_end() -> None:
    clock = FakeClock()
    limiter = RateLimiter(10, clock)

    with limiter.take(Priority.CHANNELS):
        assert (limiter.calls(), limiter.calls_of(Priority.CHANNELS)) == (1, 1)
        limiter.observe({"inin-ratelimit-count": "3", "inin-ratelimit-reset": "20"})
        assert (limiter.calls(), limiter.calls_of(Priority.CHANNELS)) == (3, 1)
    clock.advance(20)
    assert (limiter.calls(), limiter.calls_of(Priority.CHANNELS)) == (1, 1)
    clock.advance(40)
    assert (limiter.calls_of(Priority.CHANNELS), limiter.calls()) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 12),
    workers=st.lists(
        st.lists(st.tuples(st.sampled_from(Priority), st.sampled_from([0, 0.1, 5]), st.sampled_from([0, 1, 20]))),
        max_size=4,
    ),
)
def test_no_minute_ever_sees_more_calls_than_the_limit(
    limit: int, workers: list[list[tuple[Priority, float, float]]]
) -> None:
    clock = FakeClock()
    limiter = RateLimiter(limit, clock)
    spans: list[tuple[float, float]] = []

    def work(calls: list[tuple[Priority, float, float]]) -> None:
        for priority, lasts, pause in calls:
            with limiter.take(priority):
                begun = clock.monotonic()
                clock.sleep(lasts)
                spans.append((begun, clock.monotonic()))
            clock.sleep(pause)

    gevent.joinall([gevent.spawn(work, calls) for calls in workers], raise_error=True)

    assert len(spans) == sum(map(len, workers))
    for begun, _ in spans:
        # The calls that the server may have counted in the minute before this one began, and this one itself.
        counted = [end for start, end in spans if start <= begun and end > begun - WINDOW_SECONDS + 1e-6]
        assert len(counted) <= limit
