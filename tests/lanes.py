"""All tests, in lanes side by side: ``python -m tests.lanes``; with arguments: pytest with those, in one.

The tests in tests/flow wait for real processes most of the time, so a machine with two cores runs two halves of them
beside all the others. pytest-xdist is no help here: it talks to its workers by threads that were started before gevent
replaces threads.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Seconds after which whatever still runs is killed: a test that hangs must not keep a machine for hours.
_LIMIT_SECONDS = 1200.0


def lanes() -> list[list[str]]:
    """pytest's arguments of each lane; every file of the tests is in one of them."""
    flow = sorted(str(file) for file in Path("tests/flow").glob("test_*.py"))
    return [flow[::2], flow[1::2], ["tests", "--ignore=tests/flow"]]


def main() -> int:
    """Run the lanes, print what each printed when it has ended, and tell the worst exit code."""
    if sys.argv[1:]:
        return subprocess.call([sys.executable, "-m", "pytest", *sys.argv[1:]])
    end = time.monotonic() + _LIMIT_SECONDS
    running = []
    for arguments in lanes():
        printed = tempfile.TemporaryFile()  # noqa: SIM115 (read when the lane has ended)
        command = [sys.executable, "-m", "pytest", *arguments]
        running.append((subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT), printed))
    worst = 0
    try:
        for process, printed in running:
            try:
                worst = max(worst, abs(process.wait(max(0.0, end - time.monotonic()))))
            except subprocess.TimeoutExpired:
                worst = 1
                print(f"killed after {_LIMIT_SECONDS:.0f} seconds")  # noqa: T201
                process.kill()
                process.wait()
            printed.seek(0)
            sys.stdout.write(printed.read().decode(errors="replace"))
            sys.stdout.flush()
    finally:
        for process, _ in running:
            if process.poll() is None:
                process.terminate()
    return worst


if __name__ == "__main__":
    sys.exit(main())
