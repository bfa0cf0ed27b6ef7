"""`python -m tests.acceptance [STORY…]`: play the stories and say which claims held. Exit code 0 only when all did."""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import argparse
import importlib
import pkgutil
import sys
import traceback
from types import ModuleType

import gevent

from tests.acceptance import stories
from tests.harness.processes import tidy_up_when_ended
from tests.harness.report import Report, heading, table
from tests.harness.stage import Stage

_BOUND_SECONDS = 300.0


def main() -> int:
    """0: every claim held; 1: not; 2: no such story."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance", description=__doc__)
    parser.add_argument("story", nargs="*", help="names, or their beginnings; all of them when none is given")
    parser.add_argument("--list", action="store_true", help="say which stories there are")
    parser.add_argument("--fast", action="store_true", help="smaller numbers where time matters")
    parser.add_argument("--keep", action="store_true", help="keep the folders with logs and databases")
    options = parser.parse_args()
    chosen = [name for name in _names() if not options.story or name.startswith(tuple(options.story))]
    if not chosen:
        parser.error(f"no such story; there are {', '.join(_names())}")
    if options.list:
        for name in chosen:
            sys.stdout.write(f"{name:<24} {_first_line(_story(name))}\n")
        return 0
    reports = [_play(name, fast=options.fast, keep=options.keep) for name in chosen]
    sys.stdout.write(table([report for report, _ in reports]))
    return 0 if all(held for _, held in reports) else 1


def _names() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(stories.__path__)]


def _story(name: str) -> ModuleType:
    return importlib.import_module(f"tests.acceptance.stories.{name}")


def _first_line(story: ModuleType) -> str:
    return (story.__doc__ or "").strip().splitlines()[0]


def _play(name: str, *, fast: bool, keep: bool) -> tuple[Report, bool]:
    story, report, held = _story(name), Report(name), False
    heading(f"{name}: {_first_line(story)}")
    stage = Stage(report, fast=fast)
    try:
        held = _held(story, stage)
    finally:
        stage.close(keep=keep or not held)
    if not held:
        report.did(f"logs: {stage.folder}")
    return report, held


def _held(story: ModuleType, stage: Stage) -> bool:
    bound, report = getattr(story, "SECONDS", _BOUND_SECONDS), stage.report
    try:
        with gevent.Timeout(bound):
            story.play(stage)
    except gevent.Timeout:
        report.claim(f"the story ends within {bound:.0f} s", held=False)
    except Exception as error:  # noqa: BLE001 - one story must not keep the others from being played
        report.claim("the story can be played", held=False, figure=f"{type(error).__name__}: {error}")
        traceback.print_exc(limit=-2)
    return report.end()


if __name__ == "__main__":
    tidy_up_when_ended()
    sys.exit(main())
