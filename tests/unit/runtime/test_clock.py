"""Steady time follows a jump ahead only once it has lasted, and every other change at once."""

from genesys_gateway.runtime.clock import SKEW_MS, FallWatch, SteadyTime, furthest_date
from tests.doubles.runtime import FakeClock

HOUR = 3600.0


def test_steady_time_is_wall_time_while_nothing_jumps() -> None:
    clock = FakeClock()
    steady = SteadyTime(clock, HOUR)
    for seconds in (0.0, 10.0, 5 * HOUR, 100 * HOUR):
        clock.advance(seconds)
        assert steady.now() == clock.now()


def test_a_jump_ahead_is_followed_when_it_has_lasted() -> None:
    clock = FakeClock()
    steady, begin = SteadyTime(clock, HOUR), clock.now()
    clock.advance(10 * HOUR)
    assert steady.now() == begin + 10 * HOUR * 1000
    clock.jump(24 * HOUR)
    clock.advance(0.5 * HOUR)
    assert steady.now() == begin + 10.5 * HOUR * 1000
    clock.advance(0.6 * HOUR)
    assert steady.now() == clock.now()


def test_a_jump_ahead_that_is_taken_back_was_none() -> None:
    clock = FakeClock()
    steady = SteadyTime(clock, HOUR)
    clock.jump(24 * HOUR)
    steady.now()
    clock.jump(-24 * HOUR)
    assert steady.now() == clock.now()
    clock.jump(24 * HOUR)
    assert steady.now() == clock.now() - 24 * HOUR * 1000


def test_a_jump_back_and_a_small_correction_are_followed_at_once() -> None:
    clock = FakeClock()
    steady = SteadyTime(clock, HOUR)
    for seconds in (-HOUR, 30.0, 30.0, 30.0, -24 * HOUR):
        clock.jump(seconds)
        assert steady.now() == clock.now()


def test_the_furthest_date_is_that_of_the_longest_wait_and_what_clocks_may_differ_by() -> None:
    now = FakeClock().now()

    assert furthest_date(now) == now + SKEW_MS
    assert furthest_date(now, 60, HOUR, 0.5) == now + 3_600_000 + SKEW_MS


def test_a_clock_that_is_set_back_is_noticed_once_and_no_other_change() -> None:
    clock, watch = FakeClock(), FallWatch()

    def fell() -> bool:
        return watch.fell(clock.now(), clock.monotonic())

    assert not fell()
    for seconds, expected in ((-30.0, False), (-HOUR, True), (0.0, False), (24 * HOUR, False), (-61.0, True)):
        clock.jump(seconds)
        clock.advance(5)
        assert fell() is expected, seconds
    clock.advance(10 * HOUR)
    assert not fell()
