"""200 SIGKILLs under load, before a receiver that deduplicates and one that stores all and answers no lookup."""

import re
import signal
from random import Random

from tests.harness.processes import Process, python
from tests.harness.stage import Stage

SECONDS = 2400
_CLAIM = re.compile(r"^  (PASS|FAIL)  (.+)$")


def play(stage: Stage) -> None:
    """Run `make kills` with a random seed, on SQLite, and repeat its claims."""
    seed, kills = Random().randrange(10_000), stage.scale.of(full=200, fast=20)
    stage.report.note(f"seed {seed}, {kills} kills: make kills ARGS='--seed {seed} --kills {kills}'")
    command = python("-m", "tests.chaos.kills", f"--seed={seed}", f"--kills={kills}")
    process = Process(command, {}, stage.folder / "kills.log")
    try:
        code = process.wait(SECONDS)
    finally:
        if process.code is None:
            process.signal(signal.SIGTERM)  # it ends the processes it started
    for line in process.log.read_text().splitlines():
        if claim := _CLAIM.match(line):
            stage.report.claim(claim[2], claim[1] == "PASS")
    stage.report.claim("the loop of kills ended well", code == 0, f"exit code {code}")
