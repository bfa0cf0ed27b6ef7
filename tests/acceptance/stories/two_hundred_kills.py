"""200 SIGKILLs in a loop under load, before a receiver that deduplicates and one that stores all and tells nothing."""

import re
import signal
from random import Random

from tests.harness.processes import Child, python
from tests.harness.stage import Stage

SECONDS = 2400
_CLAIM = re.compile(r"^  (PASS|FAIL)  (.+)$")


def play(stage: Stage) -> None:
    """The same as ``make kills`` with a seed of today's; see there for a database other than SQLite."""
    seed, kills = Random().randrange(10_000), 20 if stage.fast else 200
    stage.report.did(f"seed {seed}, {kills} kills: make kills ARGS='--seed {seed} --kills {kills}'")
    command = python("-m", "tests.chaos.kills", f"--seed={seed}", f"--kills={kills}")
    child = Child(command, {}, stage.folder / "kills.log")
    try:
        code = child.wait(SECONDS)
    finally:
        if child.code is None:
            child.signal(signal.SIGTERM)  # it ends what it started
    for line in child.log.read_text().splitlines():
        if claim := _CLAIM.match(line):
            stage.report.claim(claim[2], claim[1] == "PASS")
    stage.report.claim("the loop of kills ended well", code == 0, f"exit code {code}")
