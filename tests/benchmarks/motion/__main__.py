"""`python -m tests.benchmarks.motion`: play the loads and print which promises were kept. Exit code 0 if all were."""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.motion.loads import LOADS, MINUTES, Load
from tests.benchmarks.motion.play import play
from tests.benchmarks.motion.verdict import HEADER
from tests.harness.processes import ROOT, unwind_on_sigterm
from tests.harness.report import Report, heading, table
from tests.harness.stage import Scale, Stage


def main() -> int:
    """Return 0 if every promise was kept, 1 if not."""
    names = [load.name for load in LOADS]
    parser = argparse.ArgumentParser(prog="make bench ARGS=motion", description=__doc__)
    parser.add_argument("--row", action="append", choices=names, help="a load; without any: all, one after the other")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long each lasts (default: %(default)g)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the load, of topics and calls (default: 1)")
    parser.add_argument("--picture", type=Path, help="folder of the pictures (default: docs/pictures if not shortened)")
    parser.add_argument("--keep", action="store_true", help="keep the folders with logs, databases and ledgers")
    options = parser.parse_args()
    shortened = options.minutes < MINUTES or options.scale < 1
    pictures = options.picture or (Path(tempfile.gettempdir()) if shortened else ROOT / "docs" / "pictures")
    chosen = [load for load in LOADS if not options.row or load.name in options.row]
    loads = [load.smaller(options.scale, options.minutes) for load in chosen]
    rows: list[str] = []
    reports = [_play(load, pictures, rows, keep=options.keep) for load in loads]
    sys.stdout.write(table(reports))
    sys.stdout.write("\n".join(["", HEADER, *rows, ""]))
    return 0 if all(report.held for report in reports) else 1


def _play(load: Load, pictures: Path, rows: list[str], *, keep: bool) -> Report:
    report = Report(load.name)
    standing = f"{load.standing:,} conversations standing, " if load.standing else ""
    troubled = ", sockets and analytics fail in the middle" if load.troubled else ""
    heading(f"{load.name}: {standing}{load.per_minute:g} new ones a minute, {load.calls} calls a minute{troubled}")
    stage = Stage(report, Scale.FULL)
    try:
        rows.append(play(load, stage, pictures))
        report.end()
    finally:
        stage.close(keep=keep)
    if keep:
        report.note(f"logs: {stage.folder}")
    return report


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())
