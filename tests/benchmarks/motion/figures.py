"""The figures of one load, computed from the simulator's ledger.

Invariant: pure. What did not happen counts as infinitely late, never as absent.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isinf
from typing import Any

from tests.harness.judge import api_calls, epoch_ms, most_in_a_minute, record_id

Json = Mapping[str, Any]

#: The classes of calls, the most urgent first.
CLASSES = ("channels", "subscriptions", "names", "bulk questions", "live questions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The parts of the simulator's ledger that are judged."""

    conversations: Sequence[Json]
    finished: Sequence[Json]
    records: Sequence[Json]
    calls: Sequence[Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time under load, in epoch ms; what began before it only prepared the load."""

    begin: int
    end: int

    @property
    def minutes(self) -> float:
        return (self.end - self.begin) / 60_000

    def holds(self, at: int | None) -> bool:
        return at is not None and self.begin <= at < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Quantiles of delays, in seconds; infinite: it never happened."""

    count: int
    median: float
    p99: float
    most: float
    #: number of those that never happened
    never: int = 0

    def __str__(self) -> str:
        if not self.count:
            return "none"
        never = f", {self.never} never" if self.never else ""
        return f"{_seconds(self.median)}, {_seconds(self.p99)}, {_seconds(self.most)} s ({self.count}{never})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """How many conversations needed a topic: registered, and their topic not given back for good."""

    most: int
    at_end: int
    #: seconds of the longest time above the capacity without a break
    longest_above: float
    #: mean of the last fifth of the time under load, and of the fifth before it
    last: float
    before: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one load showed."""

    conversations: int
    #: conversations whose registration was not answered with 2xx
    unregistered: int
    coverage: Delays
    live: Delays
    backfilled: Delays
    #: every record, from whichever source
    all_records: Delays
    given_back: Delays
    population: Population
    #: calls a minute by class
    calls: Mapping[str, float]
    #: all calls of the run, by all its conversations
    calls_per_conversation: float
    most_calls: int
    refused: int


def figures(ledger: Ledger, window: Window, capacity: int) -> Figures:
    """Compute all figures of the time under load; `capacity` is the number of topics that the channels can hold."""
    began = [one for one in ledger.conversations if window.holds(one["began"])]
    registered = [one for one in ledger.conversations if window.holds(one["registered"])]
    every_call = api_calls(ledger.calls)
    classes = Counter(class_of(call) for call in every_call if window.holds(call["at"]))
    recorded = [one for one in recordings(ledger.finished, ledger.records) if window.holds(one.at)]
    ended = [one for one in ledger.conversations if one["listened"] is not None and window.holds(one["ended"])]
    return Figures(
        conversations=len(registered),
        unregistered=sum(one["registered"] is None for one in began),
        coverage=delays(seconds_between(one["registered"], one["listened"]) for one in registered),
        live=delays(one.seconds for one in recorded if one.source != "backfill"),
        backfilled=delays(one.seconds for one in recorded if one.source == "backfill"),
        all_records=delays(one.seconds for one in recorded),
        given_back=delays(seconds_between(one["ended"], one["unheard"]) for one in ended),
        population=population(ledger.conversations, window, capacity),
        calls={name: classes[name] / window.minutes for name in CLASSES},
        calls_per_conversation=len(every_call) / max(1, len(ledger.conversations)),
        most_calls=most_in_a_minute(every_call),
        refused=sum(call["status"] == 429 for call in every_call),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One finished after-call work and its record."""

    #: when the work was finished, in epoch ms
    at: int
    #: from then until its record was stored; infinite without a record
    seconds: float
    #: ``live``, ``backfill``, or ``lost`` without a record
    source: str


def recordings(finished: Iterable[Json], records: Iterable[Json]) -> list[Recording]:
    """Pair the after-call works that need a record with their first record."""
    stored: dict[str, Json] = {}
    for entry in records:
        stored.setdefault(entry["record"]["id"], entry)
    return [_recording(acw, stored.get(record_id(acw["recordKey"]))) for acw in finished if acw["expected"]]


def _recording(acw: Json, entry: Json | None) -> Recording:
    if entry is None:
        return Recording(at=acw["at"], seconds=inf, source="lost")
    seconds = seconds_between(acw["at"], epoch_ms(entry["receivedAt"]))
    return Recording(at=acw["at"], seconds=seconds, source=entry["record"]["body"]["eventSource"])


def class_of(call: Json) -> str:
    """The class of a call of the API, one of CLASSES."""
    path = call["path"]
    if path.startswith("/api/v2/analytics/"):
        return "bulk questions"
    if path.startswith("/api/v2/conversations/"):
        return "live questions"
    if path.startswith(("/api/v2/users", "/api/v2/routing/")):
        return "names"
    changes = path.endswith("/subscriptions") and call["method"] != "GET"
    return "subscriptions" if changes else "channels"


def seconds_between(begin: int, end: int | None) -> float:
    """Seconds from one time to another, both in epoch ms: 0 if the second came first, infinite if it never came."""
    return inf if end is None else max(0.0, (end - begin) / 1000)


def delays(seconds: Iterable[float]) -> Delays:
    """Their quantiles; zeros if there are none."""
    ascending = sorted(seconds)
    if not ascending:
        return Delays(count=0, median=0.0, p99=0.0, most=0.0)
    return Delays(
        count=len(ascending),
        median=quantile(ascending, 0.5),
        p99=quantile(ascending, 0.99),
        most=ascending[-1],
        never=sum(map(isinf, ascending)),
    )


def quantile(ascending: Sequence[float], part: float) -> float:
    """The quantile of ascending values, of which there is at least one."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * part))]


def population(conversations: Iterable[Json], window: Window, capacity: int) -> Population:
    """Count the conversations that needed a topic over the time under load.

    One that never got a topic needs it until the end: the ledger does not say when it was closed.
    """
    steps = presence((one["registered"], one["unheard"]) for one in conversations)
    fifth = (window.end - window.begin) // 5
    inside = [number for at, number in steps if window.begin <= at < window.end]
    return Population(
        most=max([present_at(steps, window.begin), *inside]),
        at_end=present_at(steps, window.end),
        longest_above=_longest_above(steps, window, capacity),
        last=_mean(steps, window.end - fifth, window.end),
        before=_mean(steps, window.end - 2 * fifth, window.end - fifth),
    )


def presence(stays: Iterable[tuple[int | None, int | None]]) -> list[tuple[int, int]]:
    """The number of those present after each time at which it changed, ascending.

    Args:
        stays: When each came, and when it left, in epoch ms; None: it never did.
    """
    changes: Counter[int] = Counter()
    for came, left in stays:
        if came is not None:
            changes[came] += 1
            if left is not None:
                changes[max(came, left)] -= 1
    steps, number = [], 0
    for at in sorted(changes):
        number += changes[at]
        steps.append((at, number))
    return steps


def present_at(steps: Sequence[tuple[int, int]], at: int) -> int:
    """The number of those present at a time."""
    return next((number for moment, number in reversed(steps) if moment <= at), 0)


def _stretches(steps: Sequence[tuple[int, int]], begin: int, end: int) -> list[tuple[int, int, int]]:
    """Begin, end and number of each stretch of time with one number, between two times."""
    inside = [(begin, present_at(steps, begin)), *((at, number) for at, number in steps if begin < at < end)]
    ends = [*(at for at, _ in inside[1:]), end]
    return [(at, until, number) for (at, number), until in zip(inside, ends, strict=True)]


def _mean(steps: Sequence[tuple[int, int]], begin: int, end: int) -> float:
    total = sum((until - at) * number for at, until, number in _stretches(steps, begin, end))
    return total / max(1, end - begin)


def _longest_above(steps: Sequence[tuple[int, int]], window: Window, capacity: int) -> float:
    longest = current = 0
    for at, until, number in _stretches(steps, window.begin, window.end):
        current = current + until - at if number > capacity else 0
        longest = max(longest, current)
    return longest / 1000


def _seconds(value: float) -> str:
    return "never" if isinf(value) else f"{value:.2f}" if value < 10 else f"{value:.0f}"
