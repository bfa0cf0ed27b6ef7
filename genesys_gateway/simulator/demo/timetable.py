"""When which fault is on: one after the other, with a pause before each, round and round.

Invariant: pure. The same moment always gives the same fault.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Lasting(Protocol):
    """What lasts for a number of seconds."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""


T = TypeVar("T", bound=Lasting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(Generic[T]):
    """One time that a fault is on. Moments are seconds after the start of the demo."""

    #: Number among all turns, from 0.
    number: int
    what: T
    begins: float

    @property
    def ends(self) -> float:
        """When it is over."""
        return self.begins + self.what.seconds


def turn_at(faults: Sequence[T], pause: float, moment: float) -> Turn[T]:
    """The turn that is on at the moment, or else the next one.

    Args:
        pause: Seconds without a fault before each turn.
        moment: Seconds after the start, not negative.
    """
    round_seconds = sum(pause + one.seconds for one in faults)
    rounds = int(moment // round_seconds)
    begins, number = rounds * round_seconds, rounds * len(faults)
    for fault in faults:
        turn = Turn(number=number, what=fault, begins=begins + pause)
        if moment < turn.ends:
            return turn
        begins, number = turn.ends, number + 1
    return Turn(number=number, what=faults[0], begins=begins + pause)  # only by rounding
