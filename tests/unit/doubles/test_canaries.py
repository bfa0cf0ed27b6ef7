"""The check for planted secrets finds one in everything a test prints or logs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

LEAKS = """
import logging, sys
import pytest

def test_prints(): print("the word is canary-1")
def test_prints_an_error(): print("the word is canary-2", file=sys.stderr)
def test_logs(): logging.getLogger("x").warning("the word is %s", "canary-3")

@pytest.fixture
def late():
    yield
    print("the word is canary-4")

def test_tears_down(late): pass
def test_is_discreet(): print("nothing")
"""


def test_a_test_that_lets_a_secret_out_fails(tmp_path: Path) -> None:
    (tmp_path / "test_leaks.py").write_text(LEAKS)
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests/plugins'}"}
    # Patched by gevent first, as for all tests: the plugin imports modules that need it.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "patch_gevent", "-p", "watch_canaries", "test_leaks.py"]

    # Its output is not printed here, because then the check would fail this test too.
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)

    assert done.stdout.splitlines()[-1].startswith("5 passed, 4 errors"), done.returncode
    assert "test_leaks.py::test_tears_down printed or logged a planted secret" in done.stdout
