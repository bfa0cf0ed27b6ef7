"""Explores every reachable state of a model, breadth first, and returns the shortest way to a broken promise.

Invariant: a state is a value (nested tuples), so that two ways to the same situation meet in one state.
"""

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

S = TypeVar("S", bound=Hashable)


class Broken(Exception):
    """A step has broken a promise; the text says which."""


class Model(Protocol[S]):
    """A protocol as states and steps."""

    def initial(self) -> Iterable[S]:
        """The states at the beginning."""

    def steps(self, state: S) -> Iterable[tuple[str, S]]:
        """Each step that may come next: its name and the state after it.

        Raises:
            Broken: The step breaks a promise.
        """

    def broken(self, state: S) -> str | None:
        """Which promise this state breaks."""


class Converging(Model[S], Protocol):
    """A model that also says what must be reached at last once faults have stopped."""

    def calm_steps(self, state: S) -> Iterable[tuple[str, S]]:
        """The steps that may come next without a further fault. Each process does its work before time passes."""

    def settled(self, state: S) -> bool:
        """Whether everything is as it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """What was found."""

    states: int
    steps: int
    #: which promise is broken; None if none is
    broken: str | None = None
    #: the steps from the beginning to the broken promise
    trace: tuple[str, ...] = ()


def explore(model: Model[S], limit: int = 5_000_000) -> Explored:
    """Visit every reachable state, the nearest first, until a promise is broken.

    Raises:
        MemoryError: There are more states than ``limit``.
    """
    return _explore(model, limit)[0]


def converge(model: Converging[S], limit: int = 5_000_000) -> Explored:
    """Explore; then follow calm steps from each state that was reached, and find ways that never settle."""
    explored, origins = _explore(model, limit)
    if explored.broken is not None:
        return explored
    done: set[S] = set()
    for state in list(origins):
        stuck = _never_settles(model, state, done)
        if stuck is not None:
            trace = (*_trace(origins, state), "faults stop", *stuck)
            return Explored(states=explored.states, steps=explored.steps, broken="never settles", trace=trace)
    return explored


#: state -> the state before it and the name of the step; None for one at the beginning
Origins = dict[S, tuple[S, str] | None]


def _explore(model: Model[S], limit: int) -> tuple[Explored, Origins[S]]:
    origins: Origins[S] = dict.fromkeys(model.initial())
    waiting = deque(origins)
    steps = 0
    while waiting:
        state = waiting.popleft()
        promise = model.broken(state)
        if promise is None:
            try:
                for name, following in model.steps(state):
                    steps += 1
                    if following not in origins:
                        origins[following] = (state, name)
                        waiting.append(following)
            except Broken as error:
                promise = str(error)
        if promise is not None:
            return Explored(states=len(origins), steps=steps, broken=promise, trace=_trace(origins, state)), origins
        if len(origins) > limit:
            raise MemoryError(f"more than {limit} states")
    return Explored(states=len(origins), steps=steps), origins


def _trace(origins: Origins[S], state: S) -> tuple[str, ...]:
    names = []
    while (origin := origins[state]) is not None:
        state, name = origin
        names.append(name)
    return tuple(reversed(names))


def _never_settles(model: Converging[S], start: S, done: set[S]) -> tuple[str, ...] | None:
    """Return calm steps that end where nothing is left to do, or that come back to a state; None if all ways settle.

    Args:
        done: States from which all ways settle; more are added.
    """
    if start in done or model.settled(start):
        return None
    path, names = [start], [""]
    on_path = {start}
    branches = [iter(list(model.calm_steps(start)))]
    empty = [True]  # whether no step has come from each state on the path
    while path:
        for name, following in branches[-1]:
            empty[-1] = False
            if following in on_path:
                return (*names[1:], name, "… and so on")
            if following not in done and not model.settled(following):
                path.append(following)
                names.append(name)
                on_path.add(following)
                branches.append(iter(list(model.calm_steps(following))))
                empty.append(True)
                break
        else:
            if empty[-1]:
                return (*names[1:], "nothing more happens")
            last = path.pop()
            names.pop()
            branches.pop()
            empty.pop()
            on_path.remove(last)
            done.add(last)
    return None
