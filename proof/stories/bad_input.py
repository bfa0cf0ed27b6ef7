"""The table of bad requests over real HTTP: each is refused with a problem, and registers nothing."""

import re

from proof.children import python, run
from proof.stage import Stage

_FILE = "tests/flow/test_bad_input.py"


def play(stage: Stage) -> None:
    """The table is a test of its own; it is run, and its rows are counted."""
    code, text = run(python("-m", "pytest", "-p", "no:cacheprovider", _FILE), 250)
    passed = int((re.findall(r"(\d+) passed", text) or ["0"])[0])
    stage.report.did(f"ran {_FILE}")
    stage.report.claim(
        "at least 40 bad requests, all refused as they should be", code == 0 and passed > 40, f"{passed} tests passed"
    )
