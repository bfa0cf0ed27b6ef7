"""`python -m tests.chaos`: load, faults drawn from a seed, peace, then the balance. Exit code 0 if it is clean."""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import argparse
import sys
from collections import Counter
from pathlib import Path
from random import Random

from gevent import sleep

from tests.chaos import page, picture, promises, script
from tests.chaos.load import Load
from tests.chaos.watch import Watch
from tests.chaos.world import World
from tests.harness import databases, judge
from tests.harness.processes import ROOT, unwind_on_sigterm
from tests.harness.report import Report, heading
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import wait_for

_FOLDER = ROOT / "build"
#: Seconds in which everything has to converge after the last fault.
_PEACE_SECONDS = 600.0
#: Per kind of database: faults that are impossible without a disk or server of our own, and why there is none.
_UNBROKEN = {
    "sqlite": ("disk full and read-only", "mounting needs root"),
    "postgresql": ("server stopped and crashed", "PostgreSQL's initdb is not installed"),
}


def main() -> int:
    """Return 0 if nothing is lost or doubled and all conversations are accounted for, else 1."""
    options = _options()
    seed = options.seed if options.seed is not None else Random().randrange(10_000)
    database = options.database or ("postgresql" if options.instances > 1 else databases.KINDS[seed % 2])
    report = Report(f"chaos-{seed}")
    heading(f"Chaos, seed {seed}, {options.minutes:g} minutes, {database}, instances: {options.instances}")
    stage = Stage(report, Scale.FULL)
    try:
        held = _run(report, stage, seed, options.minutes, database, options.instances)
    finally:
        stage.close(keep=options.keep or not report.held)
    if options.keep or not held:
        report.note(f"logs: {stage.folder}")
    return 0 if held else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="seed of the faults; a random one when not given")
    parser.add_argument("--minutes", type=float, default=2.0, help="how long faults are injected")
    parser.add_argument("--database", choices=databases.KINDS, help="when not given, an even seed takes SQLite")
    parser.add_argument("--instances", type=int, default=1, help="number of instances; several need PostgreSQL")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    options = parser.parse_args()
    if options.instances > 1 and options.database == "sqlite":
        parser.error("several instances need PostgreSQL")
    if (options.instances > 1 or options.database == "postgresql") and not databases.reachable():
        parser.error("no PostgreSQL at 127.0.0.1:5432 with a database named test")
    return options


def _run(report: Report, stage: Stage, seed: int, minutes: float, database: str, instances: int) -> bool:
    random = Random(seed)
    world = World(stage, database, random, {"deduplicate": True}, instances)
    if not world.alone:
        report.skip(*_UNBROKEN[database])
    plan = script.draw(Random(seed), minutes * 60, database, alone=world.alone, instances=instances)
    with world.running():
        load, watch = Load(world), Watch(world)
        load.start()
        script.play(plan, world, report)
        sleep(max(0.0, minutes * 60 - watch.seconds()))
        report.note(f"peace; {len(plan)} faults were injected")
        peace = watch.seconds()
        report.claim("every registration is answered at last", load.stop(_PEACE_SECONDS), dict(load.answers))
        took = wait_for(lambda: _converged(world, load), _PEACE_SECONDS, every=0.5)
        watch.stop()
        figures = _figures(world, load, watch, seed, peace)
        _judge(report, world, load, took)
    for name, value in figures.items():
        report.note(f"{name}: {value}")
    again = f"make chaos SEED={seed} MINUTES={minutes:g} DATABASE={database} INSTANCES={instances}"
    return _publish(report, plan, figures, watch, again)


def _converged(world: World, load: Load) -> bool:
    return world.simulator.state()["records"] >= load.events and bool(world.simulator.balance()["clean"])


def _judge(report: Report, world: World, load: Load, took: float | None) -> None:
    report.claim("everything is recorded after the last fault", took is not None, f"after {took or -1:.1f} s")
    judge.nothing_lost_nothing_doubled(report, world.simulator)
    judge.each_record_matches_its_work(report, world.simulator)
    promises.kept(report, world, load)
    dead = world.metric("records_dead")
    report.claim("no record was given up", dead == 0, f"{dead} dead")
    peak = judge.most_connected(world.simulator.ledger("sockets"))
    report.claim("never more than 20 sockets", peak <= 20, f"{peak} at once")


def _figures(world: World, load: Load, watch: Watch, seed: int, peace: float) -> dict[str, object]:
    sources = Counter(judge.sources(world.simulator.ledger("records")))
    return {
        "seed": seed,
        "registrations answered": dict(load.answers),
        "after-call works": load.events,
        "records by source": dict(sources),
        "attempts": len(world.simulator.attempts()),
        "attempts in doubt": world.doubted(),
        "starts after the first": world.restarts,
        "largest backlog": watch.most_backlog(),
        "seconds until converged": round(watch.seconds() - peace, 1),
        "worst hub lag, seconds (frozen time counts)": round(watch.worst_lag, 2),
        "most memory, MB": round(watch.most_memory),
    }


def _publish(report: Report, plan: list[script.Planned], figures: dict[str, object], watch: Watch, again: str) -> bool:
    _FOLDER.mkdir(exist_ok=True)
    svg = Path("chaos-report.svg")
    (_FOLDER / svg).write_text(picture.draw(watch.samples, plan, again))
    (_FOLDER / "chaos-report.md").write_text(page.write(report, plan, figures, str(svg), again))
    report.note("build/chaos-report.md")
    return report.end()


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())
