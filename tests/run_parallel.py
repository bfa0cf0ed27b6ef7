"""`python -m tests.run_parallel`: run all tests in several processes; with arguments, run pytest with those in one.

Many tests spend most of their time waiting, for real processes or for a database, so two cores can run several batches
at the same time. When a batch ends, the next one starts. pytest-xdist does not work here: it talks to its workers
through threads that were started before gevent replaced threads.
"""

import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

#: Seconds after which running batches are killed: a test that hangs must not occupy a machine for hours.
_LIMIT_SECONDS = 3000.0
_TIDY_SECONDS = 30.0
_LOOK_SECONDS = 0.1
#: Number of pytest processes at a time.
_PROCESSES = 5
#: The one file that takes long although it is short. Its batch is the longest, so it is the first.
_STORIES = Path("tests/flow/test_acceptance_stories.py")
#: Folders, and into how many batches the tests of each are divided: enough to keep the processes busy until the end,
#: with few starts of pytest. Those with the longest tests come first. One more batch has all other tests.
_FOLDERS = {"tests/deploy": 1, "tests/documents": 1, "tests/flow": 12, "tests/contract": 5, "tests/unit": 3}
_PYTEST = (sys.executable, "-m", "pytest")


class Batch:
    """Some of the tests, in a process of their own.

    Args:
        arguments: The arguments of pytest.
        printed: File that keeps the output until the batch has ended; None to print at once.
    """

    def __init__(self, arguments: list[str], printed: IO[bytes] | None) -> None:
        self._printed = printed
        self.process = subprocess.Popen([*_PYTEST, *arguments], stdout=printed, stderr=subprocess.STDOUT)

    def show(self) -> None:
        """Print the kept output."""
        if self._printed is None:
            return
        self._printed.seek(0)
        sys.stdout.write(self._printed.read().decode(errors="replace"))
        sys.stdout.flush()


def batches() -> list[list[str]]:
    """Return pytest's arguments for each batch, in the order of their start. Each test file is in exactly one batch."""
    found = [[str(_STORIES)]]
    for folder, count in _FOLDERS.items():
        files = [file for file in Path(folder).rglob("test_*.py") if file != _STORIES]
        files.sort(key=lambda file: (-file.stat().st_size, file))
        found += [[str(file) for file in files[start::count]] for start in range(count)]
    return [*found, ["tests", *(f"--ignore={folder}" for folder in _FOLDERS)]]


def main() -> int:
    """Run the batches and return the worst exit code.

    The first batch prints at once; the output of each other one is printed when it has ended.
    """
    if sys.argv[1:]:
        return subprocess.call([*_PYTEST, *sys.argv[1:]])
    end = time.monotonic() + _LIMIT_SECONDS
    first, *others = batches()
    waiting, running, worst = deque(others), [Batch(first, None)], 0
    with ExitStack() as files:
        try:
            while waiting or running:
                while waiting and len(running) < _PROCESSES:
                    running.append(Batch(waiting.popleft(), files.enter_context(tempfile.TemporaryFile())))
                for batch in [one for one in running if one.process.poll() is not None]:
                    running.remove(batch)
                    batch.show()
                    worst = max(worst, abs(batch.process.returncode))
                if time.monotonic() > end:
                    return _give_up(running)
                time.sleep(_LOOK_SECONDS)
        finally:  # after Ctrl-C, which each batch has received as well: it ends the processes it started
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
