"""Which traffic is wanted: its parameters, and the moments at which its conversations begin and their talks end.

Invariant: the same parameters give the same moments, agents and shares; only the ids of conversations differ.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from genesys_gateway.simulator.errors import ControlError

#: Maximum number of conversations that go on from the start.
_MOST_AT_THE_START = 100_000
_LONGEST_SECONDS = 7 * 86_400.0
#: Parameter -> smallest and largest value.
_LIMITS: Mapping[str, tuple[float, float]] = {
    "perMinute": (0, 600_000),
    "seconds": (0.001, math.inf),
    "talkSeconds": (0.001, _LONGEST_SECONDS),
    "spread": (0, 1),
    "acwSeconds": (0, _LONGEST_SECONDS),
    "standing": (0, _MOST_AT_THE_START),
    "standingPerSecond": (0.001, 100_000),
    "lasting": (0, _MOST_AT_THE_START),
    "agents": (1, 100_000),
    "withoutAcw": (0, 1),
    "seed": (-math.inf, math.inf),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPlan:
    """The parameters of one traffic. Durations are virtual seconds; the control API spells the names in camel case."""

    #: New conversations a minute, once the standing and lasting ones have begun.
    per_minute: float = 60.0
    #: How long new ones begin; None: until it is stopped.
    seconds: float | None = None
    #: Mean length of a talk.
    talk_seconds: float = 300.0
    #: Lengths are even within the mean * (1 - spread) and the mean * (1 + spread).
    spread: float = 0.5
    #: From the end of the talk to the end of the wrap-up.
    acw_seconds: float = 30.0
    #: Number of conversations that go on before the new ones begin.
    standing: int = 0
    #: How many standing and lasting ones begin a second.
    standing_per_second: float = 100.0
    #: Number of conversations that don't end before the traffic is stopped.
    lasting: int = 0
    #: Size of the pool of agents.
    agents: int = 200
    #: Share of conversations in which nobody has after-call work.
    without_acw: float = 0.0
    #: URL that is told of each new conversation; None: nobody is told, and no records are expected.
    notify: str | None = None
    #: Start of the random numbers.
    seed: int = 1

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> TrafficPlan:
        """The plan of a request's parameters.

        Raises:
            ControlError: A parameter is unknown or its value is not possible, or nothing would begin.
        """
        known = {_camel(field.name): field for field in fields(cls)}
        for name in wanted:
            if name not in known:
                raise ControlError(f"no such parameter: {name}; there are {', '.join(known)}")
        values = {known[name].name: _checked(name, known[name].type, value) for name, value in wanted.items()}
        plan = cls(**values)
        if not (plan.per_minute or plan.standing or plan.lasting):
            raise ControlError("nothing would begin: perMinute, standing and lasting are 0")
        return plan

    def as_json(self) -> dict[str, Any]:
        return {_camel(field.name): getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """One conversation that is to begin. Moments are virtual seconds after the start of the traffic."""

    at: float
    #: When the customer hangs up; None: not before the traffic is stopped.
    ends: float | None
    #: Number of the agent, from 0.
    agent: int
    has_acw: bool


def beginnings(plan: TrafficPlan) -> Iterator[Beginning]:
    """The conversations in the order of their beginnings; endless without `seconds`.

    Lasting and standing ones begin first. Then the new ones begin, one within each `60 / perMinute` seconds, so that
    their number in a minute is exact.
    """
    chance = random.Random(plan.seed)

    def beginning(at: float, ends: float | None) -> Beginning:
        agent, has_acw = chance.randrange(plan.agents), chance.random() >= plan.without_acw
        return Beginning(at=at, ends=ends, agent=agent, has_acw=has_acw)

    complete = (plan.lasting + plan.standing) / plan.standing_per_second
    for number in range(plan.lasting):
        yield beginning(number / plan.standing_per_second, None)
    rests = rests_of_talks(plan, plan.standing, chance)
    for number, rest in enumerate(rests, plan.lasting):
        yield beginning(number / plan.standing_per_second, complete + rest)
    gap = 60 / plan.per_minute if plan.per_minute else math.inf
    for number in itertools.count():
        if number * gap >= (math.inf if plan.seconds is None else plan.seconds) or gap == math.inf:
            return
        at = complete + (number + chance.random()) * gap
        yield beginning(at, at + plan.talk_seconds * (1 + plan.spread * chance.uniform(-1, 1)))


def rests_of_talks(plan: TrafficPlan, count: int, chance: random.Random) -> list[float]:
    """How long the talks of standing conversations still last, in random order.

    They are spread as the rests of talks are that have begun at a steady rate for a long time. So as many end a minute
    as begin, from the first minute, if `standing` is `perMinute * talkSeconds / 60`.
    """
    rests = [_rest_of_a_talk(plan, (number + chance.random()) / count) for number in range(count)]
    chance.shuffle(rests)
    return rests


def _rest_of_a_talk(plan: TrafficPlan, share: float) -> float:
    """The time after which this share of the talks that go on now has ended.

    The ends are even until the shortest talk, then become rarer evenly until the longest.
    """
    mean, spread = plan.talk_seconds, plan.spread
    if share <= 1 - spread:
        return share * mean
    return mean * (1 + spread) - 2 * mean * math.sqrt(spread * (1 - share))


def _checked(name: str, kind: Any, value: Any) -> Any:
    """The value, if the parameter can have it. Raises ControlError."""
    if name == "notify":
        return _checked_url(value)
    if name == "seconds" and value is None:
        return None
    low, high = _LIMITS[name]
    whole = kind == "int"
    number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        limits = "" if low == -math.inf else f" from {low:g}" + ("" if high == math.inf else f" to {high:g}")
        raise ControlError(f"{name} is a {'whole ' if whole else ''}number{limits}, not {value!r}")
    return value


def _checked_url(value: Any) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(str(value))
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname or port == 0 or parts.username is not None:
        raise ControlError("notify is a URL that begins with http:// and names a host")
    return str(value)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
