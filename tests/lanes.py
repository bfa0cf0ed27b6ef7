"""All tests, in lanes side by side: ``python -m tests.lanes``; with arguments: pytest with those, in one.

The tests in tests/flow wait for real processes most of the time, so a machine with two cores runs some of them beside
all the others: each lane takes the next batch when it is done with one. pytest-xdist is no help here: it talks to its
workers by threads that were started before gevent replaces threads.
"""

import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

#: Seconds after which whatever still runs is killed: a test that hangs must not keep a machine for hours.
_LIMIT_SECONDS = 1200.0
_TIDY_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_LANES = 3
#: Batches of the flow tests: enough to keep the lanes busy to the end, few enough to start pytest not too often.
_FLOW_BATCHES = 9
_PYTEST = (sys.executable, "-m", "pytest")


class Batch:
    """Some of the tests, in a process.

    Args:
        arguments: Of pytest.
        printed: Keeps what it prints until it has ended; None to print at once.
    """

    def __init__(self, arguments: list[str], printed: IO[bytes] | None) -> None:
        self._printed = printed
        self.process = subprocess.Popen([*_PYTEST, *arguments], stdout=printed, stderr=subprocess.STDOUT)

    def show(self) -> None:
        """Print what was kept."""
        if self._printed is None:
            return
        self._printed.seek(0)
        sys.stdout.write(self._printed.read().decode(errors="replace"))
        sys.stdout.flush()


def batches() -> list[list[str]]:
    """pytest's arguments of each batch, the longest first; every file of the tests is in one of them."""
    flow = sorted(Path("tests/flow").glob("test_*.py"), key=lambda file: file.stat().st_size, reverse=True)
    striped = [[str(file) for file in flow[start::_FLOW_BATCHES]] for start in range(_FLOW_BATCHES)]
    return [["tests", "--ignore=tests/flow"], *striped]


def main() -> int:
    """Run the batches, print what each printed when it has ended, the first at once, and tell the worst exit code."""
    if sys.argv[1:]:
        return subprocess.call([*_PYTEST, *sys.argv[1:]])
    end = time.monotonic() + _LIMIT_SECONDS
    first, *others = batches()
    waiting, running, worst = deque(others), [Batch(first, None)], 0
    with ExitStack() as files:
        try:
            while waiting or running:
                while waiting and len(running) < _LANES:
                    running.append(Batch(waiting.popleft(), files.enter_context(tempfile.TemporaryFile())))
                for batch in [one for one in running if one.process.poll() is not None]:
                    running.remove(batch)
                    batch.show()
                    worst = max(worst, abs(batch.process.returncode))
                if time.monotonic() > end:
                    return _give_up(running)
                time.sleep(_LOOK_SECONDS)
        finally:  # after Ctrl-C, of which each has heard, and ends what it started
            for batch in running:
                with suppress(subprocess.TimeoutExpired):
                    batch.process.wait(_TIDY_SECONDS)
                batch.process.kill()
    return worst


def _give_up(running: list[Batch]) -> int:
    for batch in running:
        batch.process.kill()
        batch.process.wait()
        batch.show()
    sys.stdout.write(f"killed after {_LIMIT_SECONDS:.0f} seconds\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
