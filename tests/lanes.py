"""All tests, in lanes side by side: ``python -m tests.lanes``; with arguments: pytest with those, in one.

The tests in tests/flow wait for real processes most of the time, so a machine with two cores runs two halves of them
beside all the others. pytest-xdist is no help here: it talks to its workers by threads that were started before gevent
replaces threads.
"""

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

#: Seconds after which whatever still runs is killed: a test that hangs must not keep a machine for hours.
_LIMIT_SECONDS = 1200.0
_TIDY_SECONDS = 30.0
_PYTEST = (sys.executable, "-m", "pytest")


def lanes() -> list[list[str]]:
    """pytest's arguments of each lane; every file of the tests is in one of them."""
    flow = sorted(str(file) for file in Path("tests/flow").glob("test_*.py"))
    return [flow[::2], flow[1::2], ["tests", "--ignore=tests/flow"]]


def main() -> int:
    """Run the lanes, print what each printed when it has ended, the first at once, and tell the worst exit code."""
    if sys.argv[1:]:
        return subprocess.call([*_PYTEST, *sys.argv[1:]])
    end = time.monotonic() + _LIMIT_SECONDS
    with ExitStack() as files:
        first, *others = lanes()
        running: list[tuple[subprocess.Popen[bytes], IO[bytes] | None]] = [(subprocess.Popen([*_PYTEST, *first]), None)]
        for arguments in others:
            printed = files.enter_context(tempfile.TemporaryFile())
            running.append((subprocess.Popen([*_PYTEST, *arguments], stdout=printed, stderr=printed), printed))
        try:
            return max(_wait(process, printed, end) for process, printed in running)
        finally:  # after Ctrl-C, of which each has heard, and ends what it started
            for process, _ in running:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_TIDY_SECONDS)
                process.kill()


def _wait(process: subprocess.Popen[bytes], printed: IO[bytes] | None, end: float) -> int:
    code = 1
    try:
        code = abs(process.wait(max(0.0, end - time.monotonic())))
    except subprocess.TimeoutExpired:
        process.kill()
        sys.stdout.write(f"killed after {_LIMIT_SECONDS:.0f} seconds\n")
    if printed is not None:
        printed.seek(0)
        sys.stdout.write(printed.read().decode(errors="replace"))
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
