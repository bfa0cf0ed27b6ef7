"""`python -m tests.acceptance [STORY…]`: play the stories and print which claims held. Exit code 0 if all did."""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import argparse
import sys

from tests.acceptance.run import names, play, summary
from tests.harness.processes import unwind_on_sigterm
from tests.harness.report import Report, heading, table
from tests.harness.stage import Scale, Stage


def main() -> int:
    """Return 0 if every claim held, 1 if not. Exits with 2 if there is no such story."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance", description=__doc__)
    parser.add_argument("story", nargs="*", help="names or their beginnings; without any: all stories")
    parser.add_argument("--list", action="store_true", help="list the stories")
    parser.add_argument("--fast", action="store_true", help="smaller numbers where time matters")
    parser.add_argument("--small", action="store_true", help="the scale of the flow tests, where a story has it")
    parser.add_argument("--keep", action="store_true", help="keep the folders with logs and databases")
    options = parser.parse_args()
    chosen = [name for name in names() if not options.story or name.startswith(tuple(options.story))]
    if not chosen:
        parser.error(f"no such story; there are {', '.join(names())}")
    if options.list:
        sys.stdout.writelines(f"{name:<24} {summary(name)}\n" for name in chosen)
        return 0
    scale = Scale.SMALL if options.small else Scale.FAST if options.fast else Scale.FULL
    reports = [_play(name, scale, keep=options.keep) for name in chosen]
    sys.stdout.write(table(reports))
    return 0 if all(report.held for report in reports) else 1


def _play(name: str, scale: Scale, *, keep: bool) -> Report:
    report = Report(name)
    heading(f"{name}: {summary(name)}")
    stage = Stage(report, scale)
    try:
        play(name, stage)
    finally:
        stage.close(keep=keep or not report.held)
    if not report.held:
        report.note(f"logs: {stage.folder}")
    return report


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main())
