"""Pure: the targets, and whether a run has kept them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.benchmarks.speed.arena import BARE_FLASK, BARE_LOOP, REQUESTS, SDK
from tests.benchmarks.speed.figures import Results, aligned
from tests.benchmarks.speed.rows import events, growth, registrations, starts, subscriptions

_AT_32, _CPU, _RATE, _P50, _P99 = registrations.row(32), "CPU ms each", "per second", "p50 ms", "p99 ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A figure of the gateway with a database, and its bound. The figure is a KeyError if it was not measured."""

    text: str
    figure: Callable[[Results, str], float]
    at_least: float | None = None
    at_most: float | None = None

    def kept(self, figure: float) -> bool:
        """Whether the figure is within its bound."""
        return (self.at_least is None or figure >= self.at_least) and (self.at_most is None or figure <= self.at_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a target was kept with a database."""

    target: str
    database: str
    figure: float
    kept: bool

    def __str__(self) -> str:
        return f"{'kept' if self.kept else 'missed'}: {self.figure:,.2f}"


def _cheaper(row: str, rival: str, unit: str = _CPU) -> Callable[[Results, str], float]:
    """What a rival takes, divided by what the gateway takes."""
    return lambda results, database: results.of(row, rival)[unit] / results.of(row, database)[unit]


def _own(row: str, unit: str) -> Callable[[Results, str], float]:
    return lambda results, database: results.of(row, database)[unit]


def _grown(row: str) -> Callable[[Results, str], float]:
    """The cost beside the most conversations, divided by that beside the fewest."""

    def figure(results: Results, database: str) -> float:
        levels = [one.conversations for one in results.measured if one.row == row and one.database == database]
        few, many = (results.of(row, database, level)[_CPU] for level in (levels[:1] + levels[-1:]))
        return many / few

    return figure


def _memory(results: Results, database: str) -> float:
    return max(one.figures["MB"] for one in results.measured if (one.row, one.database) == (growth.MEMORY, database))


TARGETS = (
    _Target(text="registrations: (e) / gateway ≥ 0.45", figure=_cheaper(_AT_32, BARE_FLASK), at_least=0.45),
    _Target(
        text="registrations, 32 connections: p99 / p50 ≤ 3",
        figure=lambda results, database: results.of(_AT_32, database)[_P99] / results.of(_AT_32, database)[_P50],
        at_most=3,
    ),
    _Target(text="a registration that comes alone ≤ 5 ms of CPU", figure=_own(registrations.ALONE, _CPU), at_most=5),
    _Target(text="events: (d) / gateway ≥ 0.65", figure=_cheaper(events.DELIVERED, BARE_LOOP.name), at_least=0.65),
    _Target(text="events: (b) / gateway ≥ 1", figure=_cheaper(events.DELIVERED, REQUESTS.name), at_least=1),
    _Target(
        text="events stored / delivered a second ≥ 3",
        figure=lambda results, database: (
            results.of(events.STORED, database)[_RATE] / results.of(events.DELIVERED, database)[_RATE]
        ),
        at_least=3,
    ),
    _Target(
        text="subscribing 3,000: (a) / gateway, calls ≥ 100",
        figure=_cheaper(subscriptions.ROW, SDK.name, "calls"),
        at_least=100,
    ),
    _Target(
        text="subscribing 3,000: (a) / gateway, seconds ≥ 50",
        figure=_cheaper(subscriptions.ROW, SDK.name, "seconds"),
        at_least=50,
    ),
    _Target(text="event to record, 200/s: p99 ≤ 50 ms", figure=_own(events.SOON, _P99), at_most=50),
    _Target(
        text="lag of the hub in a burst of 10,000 events ≤ 10 ms", figure=_own(growth.BURST, growth.LAG), at_most=10
    ),
    _Target(text="worker with 19,000 conversations ≤ 110 MB", figure=_memory, at_most=110),
    _Target(
        text="… / (a) with none ≤ 0.5",
        figure=lambda results, database: _memory(results, database) / results.of(starts.ROW, SDK.name)["MB"],
        at_most=0.5,
    ),
    _Target(
        text="a registration beside the most / the fewest conversations ≤ 1.15",
        figure=_grown(growth.REGISTRATION),
        at_most=1.15,
    ),
    _Target(
        text="an event beside the most / the fewest conversations ≤ 1.15", figure=_grown(growth.EVENT), at_most=1.15
    ),
)


def verdicts(results: Results) -> Iterator[Verdict]:
    """The verdict about each target whose figures were measured."""
    for target in TARGETS:
        for database in results.databases:
            try:
                figure = target.figure(results, database)
            except (KeyError, ValueError):
                continue
            yield Verdict(target=target.text, database=database, figure=figure, kept=target.kept(figure))


def table(found: Sequence[Verdict]) -> str:
    """The verdicts: a line for each target, a column for each database."""
    databases = list(dict.fromkeys(verdict.database for verdict in found))
    cells = {(verdict.target, verdict.database): str(verdict) for verdict in found}
    targets = dict.fromkeys(verdict.target for verdict in found)
    lines = [[target, *(cells.get((target, database), "") for database in databases)] for target in targets]
    return aligned([["target", *databases], *lines])
