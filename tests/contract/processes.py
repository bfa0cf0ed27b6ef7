"""Python processes that a test starts, for effects that only another process can have."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gevent import subprocess

_PROJECT = Path(__file__).parents[2]


@contextmanager
def python(code: str, *arguments: str) -> Iterator["subprocess.Popen[Any]"]:
    """Start the code and wait for its first line of output. At the end, close its stdin, which must end the process."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=_PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline(), "the process ended before it was ready"
        yield process
        process.communicate(timeout=10)
