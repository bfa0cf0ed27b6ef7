"""When which fault of the demo is on."""

from dataclasses import dataclass

import pytest

from genesys_gateway.simulator.demo.timetable import turn_at


@dataclass(frozen=True)
class Fault:
    name: str
    seconds: float


FAULTS = (Fault("short", 10), Fault("long", 40))
#: seconds before each
PAUSE = 20.0


@pytest.mark.parametrize(
    ("moment", "number", "name", "begins", "ends"),
    [
        (0, 0, "short", 20, 30),
        (19.9, 0, "short", 20, 30),
        (20, 0, "short", 20, 30),
        (29.9, 0, "short", 20, 30),
        (30, 1, "long", 50, 90),
        (89.9, 1, "long", 50, 90),
        (90, 2, "short", 110, 120),
        (120, 3, "long", 140, 180),
        (90 * 79 + 30, 2 * 79 + 1, "long", 90 * 79 + 50, 90 * 79 + 90),
    ],
)
def test_each_fault_has_its_turn_after_a_pause(
    moment: float, number: int, name: str, begins: float, ends: float
) -> None:
    turn = turn_at(FAULTS, PAUSE, moment)
    assert (turn.number, turn.what.name, turn.begins, turn.ends) == (number, name, begins, ends)
