"""The explorer finds the shortest way to a broken promise, and ways that never settle."""

from collections.abc import Iterable, Iterator

import pytest

from tests.model.explorer import Broken, converge, explore


class Counter:
    """Counts up to a number, by one or by two."""

    def __init__(
        self, *, end: int = 10, forbidden: int = -1, jump: int = -1, goal: int = 10, back: bool = False
    ) -> None:
        self._end = end
        self._forbidden = forbidden
        self._jump = jump
        self._goal = goal
        self._back = back

    def initial(self) -> Iterable[int]:
        return [0]

    def broken(self, state: int) -> str | None:
        return "forbidden" if state == self._forbidden else None

    def steps(self, state: int) -> Iterator[tuple[str, int]]:
        if state == self._jump:
            raise Broken("jumped")
        for size in (1, 2):
            if state + size <= self._end:
                yield f"+{size}", state + size

    def calm_steps(self, state: int) -> Iterator[tuple[str, int]]:
        if self._back and state == self._end - 1:
            yield "back", state - 1
        elif state < self._end:
            yield "+1", state + 1

    def settled(self, state: int) -> bool:
        return state == self._goal


def test_every_state_is_visited_once() -> None:
    found = explore(Counter())
    assert (found.states, found.steps, found.broken) == (11, 19, None)


def test_the_way_to_a_forbidden_state_is_the_shortest() -> None:
    found = explore(Counter(forbidden=5))
    assert found.broken == "forbidden"
    assert len(found.trace) == 3


def test_a_step_may_break_a_promise() -> None:
    found = explore(Counter(jump=4))
    assert (found.broken, found.trace) == ("jumped", ("+2", "+2"))


def test_too_many_states_are_an_error() -> None:
    with pytest.raises(MemoryError):
        explore(Counter(), limit=3)


def test_a_model_that_settles_from_everywhere_converges() -> None:
    assert converge(Counter()).broken is None


def test_a_way_that_ends_unsettled_is_found() -> None:
    found = converge(Counter(goal=99))
    assert found.broken == "never settles"
    assert found.trace[-1] == "nothing more happens"


def test_a_way_in_a_circle_is_found() -> None:
    found = converge(Counter(back=True))
    assert found.broken == "never settles"
    assert found.trace[-2:] == ("back", "… and so on")


def test_a_broken_promise_comes_before_convergence() -> None:
    assert converge(Counter(forbidden=5, goal=99)).broken == "forbidden"
