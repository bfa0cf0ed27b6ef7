"""Python processes of a test's own, for what only another process can do to us."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gevent import subprocess

_PROJECT = Path(__file__).parents[2]


@contextmanager
def python(code: str, *arguments: str) -> Iterator["subprocess.Popen[Any]"]:
    """Run the code until it has printed one line; at the end its stdin is closed, which must make it end."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=_PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline(), "the process ended before it was ready"
        yield process
        process.communicate(timeout=10)
