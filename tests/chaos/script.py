"""The script of a run: faults and their times, drawn from a seed so that a run can be repeated; and playing it."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

import gevent
from gevent.pool import Group

from tests.chaos.catalogue import FAULTS, Fault
from tests.chaos.world import World
from tests.harness.report import Report

#: Mean seconds without a fault between two faults of a party; the second for parties not in the first.
_HEALTHY = {"gateway": 14.0, "token": 25.0, "disk": 18.0, "database": 18.0, "connection": 18.0, "clock": 20.0}
_HEALTHY_SECONDS = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault with its beginning and end, in seconds since the beginning of the run."""

    fault: Fault
    begin: float
    end: float
    #: number of the instance it hits
    instance: int = 0
    #: the party it hits, with the number of the instance if there are several
    party: str = ""


def draw(random: Random, seconds: float, database: str, *, alone: bool, instances: int = 1) -> list[Planned]:
    """Draw a script of that length; the parties are independent of each other.

    Args:
        alone: Whether the disk or the database server is used by this run only.
        instances: Number of instances; each is a party of its own, and so are its clock and its connection.
    """
    possible = [fault for fault in FAULTS if _is_possible(fault, database, alone=alone, instances=instances)]
    parties = list(dict.fromkeys(fault.party for fault in possible))
    plan: list[Planned] = []
    for party in parties:
        faults = [fault for fault in possible if fault.party == party]
        for number in range(instances if faults[0].of_an_instance else 1):
            plan += _draw_for(random, seconds, faults, number, instances)
    return sorted(plan, key=lambda one: one.begin)


def _is_possible(fault: Fault, database: str, *, alone: bool, instances: int) -> bool:
    return (
        fault.database in (None, database) and (alone or not fault.alone) and (instances > 1 or not fault.needs_several)
    )


def _draw_for(random: Random, seconds: float, faults: Sequence[Fault], number: int, instances: int) -> list[Planned]:
    party = faults[0].party
    healthy = _HEALTHY.get(party, _HEALTHY_SECONDS)
    shown = f"{party} {number + 1}" if instances > 1 and faults[0].of_an_instance else party
    plan: list[Planned] = []
    deck: list[Fault] = []
    at = random.uniform(2, 2 + healthy)
    while at < seconds:
        deck = deck or random.sample(faults, len(faults))  # each fault comes once before one comes again
        fault = deck.pop()
        end = min(seconds, at + random.uniform(*fault.seconds))
        plan.append(Planned(fault=fault, begin=at, end=end, instance=number, party=shown))
        at = end + random.expovariate(1 / healthy)
    return plan


def play(plan: Sequence[Planned], world: World, report: Report) -> None:
    """Play the script to its end; afterwards all faults have ended.

    A fault whose beginning or end takes longer than planned, as the restart of a server may on a slow machine, delays
    the next one of its party.
    """
    begun = time.monotonic()
    acts = Group()
    for party in {one.party for one in plan}:
        acts.spawn(_act_in_turn, [one for one in plan if one.party == party], begun, world, report)
    acts.join(raise_error=True)


def _act_in_turn(plan: Iterable[Planned], begun: float, world: World, report: Report) -> None:
    for planned in plan:
        gevent.sleep(max(0.0, begun + planned.begin - time.monotonic()))
        _act(planned, world, report)


def _act(planned: Planned, world: World, report: Report) -> None:
    undo = planned.fault.begin(world, planned.instance)
    try:
        report.note(f"{planned.party}: {planned.fault.name}, for {planned.end - planned.begin:.1f} s")
        gevent.sleep(planned.end - planned.begin)
    finally:
        undo()
