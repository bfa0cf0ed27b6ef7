"""A state that lasts is logged when it begins, then once a minute."""

from genesys_gateway.runtime.reminder import Reminder
from tests.doubles.runtime import FakeClock


def test_the_first_time_and_then_once_a_minute() -> None:
    clock = FakeClock()
    reminder = Reminder(clock)
    logged = []
    for second in range(150):
        if reminder.due("away"):
            logged.append(second)
        clock.advance(1)
    assert logged == [0, 60, 120]


def test_each_reason_has_a_line_of_its_own() -> None:
    reminder = Reminder(FakeClock())
    assert [reminder.due(reason) for reason in ("away", "slow", "away", "slow")] == [True, True, False, False]


def test_after_its_end_it_begins_anew() -> None:
    reminder = Reminder(FakeClock())
    assert reminder.due("away")
    reminder.over()
    assert reminder.due("away")
