"""The script of a run: faults and their times, drawn from a seed so that a run can be repeated; and playing it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

import gevent
from gevent.pool import Group

from tests.chaos.catalogue import FAULTS, Fault
from tests.chaos.world import World
from tests.harness.report import Report

#: Mean seconds without a fault between two faults of a party; the second for parties not in the first.
_HEALTHY = {"gateway": 14.0, "token": 25.0, "disk": 18.0, "database": 18.0}
_HEALTHY_SECONDS = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault with its beginning and end, in seconds since the beginning of the run."""

    fault: Fault
    begin: float
    end: float


def draw(random: Random, seconds: float, database: str, *, alone: bool) -> list[Planned]:
    """Draw a script of that length; the parties are independent of each other.

    Args:
        alone: Whether the disk or the database server is used by this run only.
    """
    possible = [one for one in FAULTS if one.database in (None, database) and (alone or not one.alone)]
    parties = list(dict.fromkeys(fault.party for fault in possible))
    plan: list[Planned] = []
    for party in parties:
        faults = [fault for fault in possible if fault.party == party]
        plan += _draw_for(random, seconds, faults, _HEALTHY.get(party, _HEALTHY_SECONDS))
    return sorted(plan, key=lambda one: one.begin)


def _draw_for(random: Random, seconds: float, faults: Sequence[Fault], healthy: float) -> list[Planned]:
    plan: list[Planned] = []
    deck: list[Fault] = []
    at = random.uniform(2, 2 + healthy)
    while at < seconds:
        deck = deck or random.sample(faults, len(faults))  # each fault comes once before one comes again
        fault = deck.pop()
        end = min(seconds, at + random.uniform(*fault.seconds))
        plan.append(Planned(fault=fault, begin=at, end=end))
        at = end + random.expovariate(1 / healthy)
    return plan


def play(plan: Iterable[Planned], world: World, report: Report) -> None:
    """Play the script to its end; afterwards all faults have ended."""
    acts = Group()
    for planned in plan:
        acts.add(gevent.spawn_later(planned.begin, _act, planned, world, report))
    acts.join(raise_error=True)


def _act(planned: Planned, world: World, report: Report) -> None:
    undo = planned.fault.begin(world)
    try:
        report.note(f"{planned.fault.party}: {planned.fault.name}, for {planned.end - planned.begin:.1f} s")
        gevent.sleep(planned.end - planned.begin)
    finally:
        undo()
