"""`python -m tests.chaos.kills`: SIGKILL again and again under load; then the balance.

Half of the kills happen before a receiver that stores each POST and answers no lookup: there a record may be doubled,
but only after an attempt in doubt.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from random import Random

from gevent import sleep

from tests.chaos import promises
from tests.chaos.load import Load
from tests.chaos.world import World
from tests.harness import databases, judge
from tests.harness.processes import unwind_on_sigterm
from tests.harness.report import Report, heading
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import wait_for

_PEACE_SECONDS = 600.0
_READY_SECONDS = 60.0
#: Delay of the receiver: nearly every kill happens during attempts.
_SLOW_SECONDS = 0.05
_RECEIVERS: Mapping[str, Mapping[str, object]] = {
    "deduplicates": {"deduplicate": True},
    "stores twice, answers no lookup": {"deduplicate": False, "lookup": False},
}


def main() -> int:
    """Return 0 if nothing was lost, and nothing doubled but attempts in doubt, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kills", description=__doc__)
    parser.add_argument("--seed", type=int, help="seed of the moments; a random one when not given")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--database", choices=databases.KINDS, default="sqlite")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else Random().randrange(10_000)
    heading(f"{options.kills} kills under load, seed {seed}, {options.database}")
    report = Report("kills")
    for name, receiver in _RECEIVERS.items():
        report.note(f"the receiver {name}")
        _half(report, options.kills // 2, options.database, Random(seed), receiver)
    return 0 if report.end() else 1


def _half(report: Report, kills: int, database: str, random: Random, receiver: Mapping[str, object]) -> None:
    stage = Stage(report, Scale.FULL)
    held = False
    try:
        world = World(stage, database, random, receiver)
        with world.running():
            world.simulator.set_receiver("slow", delaySeconds=_SLOW_SECONDS, **receiver)
            load = Load(world)
            load.start()
            for _ in range(kills):
                sleep(random.uniform(0.05, 2.0))
                world.kill_all()  # the watch in World starts it again
                wait_for(world.gateway.ready, _READY_SECONDS)
            answered = load.stop(_PEACE_SECONDS)
            report.claim(f"{kills} kills: every registration is answered", answered, dict(load.answers))
            took = wait_for(lambda: _all_there(world, load), _PEACE_SECONDS, every=0.5)
            sleep(1)
            held = _judge(report, world, load, took)
    finally:
        stage.close(keep=not held)


def _stored(world: World) -> Counter[str]:
    return Counter(entry["record"]["id"] for entry in world.simulator.ledger("records"))


def _all_there(world: World, load: Load) -> bool:
    return world.simulator.state()["records"] >= load.events and len(_stored(world)) >= load.events


def _judge(report: Report, world: World, load: Load, took: float | None) -> bool:
    stored = _stored(world)
    wanted = {judge.record_id(acw["recordKey"]) for acw in world.simulator.ledger("finished")}
    lost, unexpected, doubled = wanted - stored.keys(), stored.keys() - wanted, stored.total() - len(stored)
    doubted = world.doubted()
    may_double = 0 if world.receiver["deduplicate"] else doubted
    report.note(f"{len(wanted)} after-call works, last one recorded {took or -1:.1f} s after the last kill")
    claims = [
        report.claim("nothing is lost", not lost and took is not None, f"{len(wanted)} finished, {len(lost)} lost"),
        report.claim("nothing has another id", not unexpected, f"{len(unexpected)} unexpected"),
        report.claim("doubled only after doubt", doubled <= may_double, f"{doubled} doubled, {doubted} in doubt"),
        judge.each_record_matches_its_work(report, world.simulator),
        promises.kept(report, world, load),
    ]
    return all(claims)


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())
