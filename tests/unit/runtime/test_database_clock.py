"""The clock that goes by the database: its jumps are followed, this machine's are not, and it does not tremble."""

import pytest

from genesys_gateway.runtime.database_clock import DatabaseClock
from tests.doubles.log_lines import configured, logging_restored, written
from tests.doubles.runtime import FakeClock

HOUR_MS = 3_600_000


def _answer(machine: FakeClock, clock: DatabaseClock, *, ahead_ms: int, there: float = 0.0, back: float = 0.0) -> None:
    """Ask a database whose clock is so far ahead of the right time, with this long a way there and back."""
    began = machine.monotonic()
    machine.advance(there)
    told = _right(machine) + ahead_ms
    machine.advance(back)
    clock.sync(told, began, machine.monotonic())


def _right(machine: FakeClock) -> int:
    """The right time, whatever the machine's wall clock shows."""
    return FakeClock().now() + round((machine.monotonic() - FakeClock().monotonic()) * 1000)


def test_until_the_database_was_asked_it_is_the_machines_own_clock() -> None:
    machine = FakeClock()
    clock = DatabaseClock(machine)
    assert (clock.now(), clock.monotonic()) == (machine.now(), machine.monotonic())
    clock.sleep(2.5)
    assert machine.slept == [2.5]
    assert clock.now() == machine.now()


@pytest.mark.parametrize("ahead_ms", [-HOUR_MS, 0, HOUR_MS])
def test_then_it_is_the_databases_time_carried_on_by_the_monotonic_clock(ahead_ms: int) -> None:
    machine = FakeClock()
    clock = DatabaseClock(machine)
    _answer(machine, clock, ahead_ms=ahead_ms)
    for seconds in (0.0, 0.25, 7.0, 86_400.0):
        machine.advance(seconds)
        assert clock.now() == _right(machine) + ahead_ms


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_jump_of_the_machines_clock_changes_nothing(jump: float) -> None:
    machine = FakeClock()
    clock = DatabaseClock(machine)
    _answer(machine, clock, ahead_ms=0)
    machine.jump(jump)
    assert clock.now() == _right(machine)
    machine.advance(7)
    _answer(machine, clock, ahead_ms=0)
    assert clock.now() == _right(machine)


def test_of_the_first_answer_the_middle_of_its_way_is_taken() -> None:
    machine = FakeClock()
    clock = DatabaseClock(machine)
    _answer(machine, clock, ahead_ms=0, there=0.0, back=0.2)
    assert clock.now() == _right(machine) - 100


def test_an_answer_that_leaves_the_time_possible_does_not_move_it() -> None:
    machine = FakeClock()
    clock = DatabaseClock(machine)
    _answer(machine, clock, ahead_ms=0)
    for there, back in ((0.4, 0.0), (0.0, 0.4), (5.0, 0.1), (0.0, 30.0)):
        _answer(machine, clock, ahead_ms=0, there=there, back=back)
        assert clock.now() == _right(machine)


def test_a_quick_answer_mends_what_a_slow_one_left_open() -> None:
    machine = FakeClock()
    clock = DatabaseClock(machine)
    _answer(machine, clock, ahead_ms=0, there=0.0, back=8.0)
    assert clock.now() == _right(machine) - 4000
    _answer(machine, clock, ahead_ms=0, there=0.001, back=0.001)
    assert abs(clock.now() - _right(machine)) <= 3


def test_a_slow_answer_moves_it_no_further_than_it_proves() -> None:
    machine = FakeClock()
    clock = DatabaseClock(machine)
    _answer(machine, clock, ahead_ms=0)
    _answer(machine, clock, ahead_ms=500, there=20.0, back=0.0)
    assert clock.now() - _right(machine) == 499  # not the 10 s of the middle of its way


@pytest.mark.parametrize("jump_ms", [-HOUR_MS, HOUR_MS])
def test_a_jump_of_the_databases_clock_is_followed_at_the_next_answer(jump_ms: int) -> None:
    machine = FakeClock()
    clock = DatabaseClock(machine)
    _answer(machine, clock, ahead_ms=0)
    _answer(machine, clock, ahead_ms=jump_ms, there=0.002, back=0.002)
    assert abs(clock.now() - _right(machine) - jump_ms) <= 3


def test_clocks_that_differ_by_more_than_a_minute_are_reported_once() -> None:
    machine = FakeClock()
    clock = DatabaseClock(machine)
    with logging_restored():
        stream = configured()
        for ahead_ms in (59_000, -HOUR_MS, -HOUR_MS, 0):
            _answer(machine, clock, ahead_ms=ahead_ms)
        machine.jump(-120)
        _answer(machine, clock, ahead_ms=0)

        lines = [line for line in written(stream) if line["event"] == "clock_differs"]
    assert [line["ahead_of_database_seconds"] for line in lines] == [3600, -120]
