"""`python -m tests.benchmarks.operated`: measure the full load with dashboards open. Exit code 0 if all is kept."""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import argparse
import json
import sys
from pathlib import Path

from tests.benchmarks.operated import verdict
from tests.benchmarks.operated.play import Plan, play
from tests.harness import databases
from tests.harness.processes import ROOT, unwind_on_sigterm
from tests.harness.report import Report, heading, table
from tests.harness.stage import Scale, Stage


def main() -> int:
    """Return 0 if every promise was kept, 1 if not."""
    options = _options()
    plan = Plan(
        followed=options.followed,
        per_minute=options.per_minute,
        dashboards=options.dashboards,
        seconds=options.seconds,
        database=options.database,
    )
    heading(
        f"operated, {plan.database}: {plan.followed:,} conversations, {plan.per_minute:g} new ones a minute, "
        f"{plan.dashboards} dashboards for {plan.seconds:g} s"
    )
    report = Report("operated")
    stage = Stage(report, Scale.FULL)
    text = ""
    try:
        played = play(plan, stage)
        if played is not None:
            verdict.note(report, played)
            verdict.claim(report, played)
            text = verdict.table(played)
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(verdict.as_json(played), indent=1), encoding="utf-8")
        report.end()
    finally:
        stage.close(keep=options.keep)
    if options.keep:
        report.note(f"logs: {stage.folder}")
    sys.stdout.write(f"{table([report])}\n{text}")
    return 0 if not report.failed else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=operated", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long dashboards are open (%(default)g)")
    parser.add_argument("--followed", type=int, default=19_000, help="conversations at the end (%(default)d)")
    parser.add_argument("--per-minute", type=float, default=500.0, help="new conversations a minute (%(default)g)")
    parser.add_argument("--dashboards", type=int, default=10, help="how many are open and read (%(default)d)")
    parser.add_argument("--database", choices=databases.KINDS, default="sqlite", help="default: %(default)s")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "operated.json", help="default: %(default)s")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and database")
    return parser.parse_args()


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())
