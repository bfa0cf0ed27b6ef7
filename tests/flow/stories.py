"""Plays acceptance stories at the scale of pytest."""

from pathlib import Path

from tests.acceptance.run import play
from tests.harness.report import Report
from tests.harness.stage import Scale, Stage


def hold_every_claim(name: str, folder: Path) -> None:
    """Play a story in that folder, which keeps its files; fails unless there are claims and all of them hold."""
    report = Report(name)
    stage = Stage(report, Scale.SMALL, folder)
    try:
        held = play(name, stage)
    finally:
        stage.close(keep=True)
    assert held, report.failed
