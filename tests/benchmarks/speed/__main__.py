"""`python -m tests.benchmarks.speed`: measures the gateway and its rivals, and prints the table and the targets."""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.speed import targets
from tests.benchmarks.speed.arena import Arena
from tests.benchmarks.speed.figures import Measured, Results, table
from tests.benchmarks.speed.pictures import draw
from tests.benchmarks.speed.rows import events, growth, registrations, starts, subscriptions
from tests.harness import databases
from tests.harness.processes import ROOT, unwind_on_sigterm

ROWS: dict[str, Callable[[Arena], Iterator[Measured]]] = {
    "registrations": registrations.at_once,
    "alone": registrations.alone,
    "delivered": events.delivered,
    "stored": events.stored,
    "soon": events.soon,
    "subscriptions": subscriptions.measure,
    "starts": starts.measure,
    "growth": growth.measure,
}

#: The file, row and unit of each growth curve.
PICTURES = (
    ("speed-registration.svg", growth.REGISTRATION, "CPU ms each"),
    ("speed-event.svg", growth.EVENT, "CPU ms each"),
    ("speed-memory.svg", growth.MEMORY, "MB"),
)


def main() -> int:
    """Measure what the arguments name; returns 0 whatever the figures are."""
    options, results = _options(), Results()
    with TemporaryDirectory(prefix="speed-") as folder:
        arena = Arena(Path(folder), options.databases, quick=options.quick)
        try:
            for name in options.rows:
                _measure(name, arena, results)
        finally:
            arena.close()
            _report(results, options)  # of what was measured before a row failed, too
    return 0


def _report(results: Results, options: argparse.Namespace) -> None:
    options.json.parent.mkdir(parents=True, exist_ok=True)
    judged = list(targets.verdicts(results))
    found = {"measured": list(map(asdict, results.measured)), "targets": list(map(asdict, judged))}
    options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    grown = options.pictures and any(one.row == growth.MEMORY for one in results.measured)
    for file, row, unit in PICTURES if grown else ():
        (options.pictures / file).write_text(draw(results, row, unit), encoding="utf-8")
    print("\n" + table(results))
    print(targets.table(judged) if judged else "No target is about these rows.")


def _measure(name: str, arena: Arena, results: Results) -> None:
    begun = time.monotonic()
    for measured in ROWS[name](arena):
        results.measured.append(measured)
        figures = ", ".join(f"{unit} {value:,.2f}" for unit, value in measured.figures.items())
        print(f"{time.monotonic() - begun:6.1f} s  {measured.row}: {measured.who}: {figures}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=speed", description=__doc__)
    parser.add_argument("--rows", type=_among(*ROWS), default=list(ROWS), help=f"some of {','.join(ROWS)}")
    kinds = list(databases.KINDS if databases.reachable() else databases.KINDS[:1])
    if "postgresql" not in kinds:
        print("PostgreSQL can't be reached: measured with SQLite only")
    parser.add_argument("--databases", type=_among(*kinds), default=kinds, help=f"some of {','.join(kinds)}")
    parser.add_argument("--quick", action="store_true", help="measure less, less exactly")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json", help="default: %(default)s")
    parser.add_argument("--pictures", type=Path, help="folder in which growth curves are drawn, such as docs/pictures")
    return parser.parse_args()


def _among(*names: str) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := set(chosen) - set(names):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not among {', '.join(names)}")
        return chosen

    return parse


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())
