"""The tool that shows which modules a call enters works, and no call enters more than a reader can follow."""

import re
import sys

import pytest
from gevent import subprocess

from tests.architecture.sources import PROJECT

#: Maximum number of modules and of folders that one call may enter.
MOST_MODULES, MOST_FOLDERS = 38, 7
#: By call, modules that it certainly enters: its first and its last.
ENTERED = {
    "registration": ("web.routes", "storage.statements.conversations"),
    "event": ("channels.channel", "storage.statements.intake"),
    "delivery_attempt": ("delivery.dispatcher", "delivery.history_client"),
    "reconciliation_answer": ("genesys.client", "storage.statements.intake"),
}


@pytest.fixture(scope="module")
def printed() -> str:
    command = [sys.executable, "-m", "tests.architecture.path"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.mark.parametrize("call", ENTERED)
def test_a_call_enters_few_modules_and_folders(printed: str, call: str) -> None:
    found = re.search(rf"^{call}: (\d+) modules in (\d+) folders.*\n((?:    .*\n)+)", printed, re.MULTILINE)

    assert found
    assert int(found[1]) <= MOST_MODULES
    assert int(found[2]) <= MOST_FOLDERS
    assert not [module for module in ENTERED[call] if module not in found[3]]
