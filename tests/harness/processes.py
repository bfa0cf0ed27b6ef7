"""Processes of a test: started here, signalled by their pid, and ended with the test at the latest.

Invariant: each process gets a clean environment, a session of its own and its own log; no other process is touched.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import randrange

import gevent

ROOT = Path(__file__).resolve().parents[2]

#: Every process that this run has started.
STARTED: list["Process"] = []


class Process:
    """One process and its descendants.

    Args:
        command: Program and arguments.
        log: File to which its standard output and standard error are appended.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                cwd=ROOT,
                env=clean | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        STARTED.append(self)

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def children(self) -> list[int]:
        """Pids of its running children; those of gunicorn's master are its workers."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit code. Raises subprocess.TimeoutExpired."""
        return self._process.wait(seconds)

    def stop(self, seconds: float = 30.0) -> int:
        """Send SIGTERM and return the exit code. Raises subprocess.TimeoutExpired, and then kills it."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """Send SIGKILL to it and its descendants at once, like a power cut: none of them can clean up."""
        if self.code is None:
            os.killpg(self.pid, signal.SIGKILL)  # the process group of its session: it and its descendants
        self._process.wait()


def unwind_on_sigterm() -> None:
    """Raise SystemExit in the calling greenlet on SIGTERM, so that the processes it started are ended as well."""
    gevent.signal_handler(signal.SIGTERM, gevent.getcurrent().throw, SystemExit, 143)


def memory_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def free_port() -> int:
    """A port that is free now and that no other test process was given.

    It is outside the range from which Linux takes ports of outgoing connections.
    """
    while True:
        port = randrange(10_000, 32_000)
        with socket.socket() as probe, socket.socket(socket.AF_UNIX) as given, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            given.bind(f"\0port-of-a-test-{port}")  # a name without a file, which is taken until this process ends
            given.detach()
            return port


def python(*arguments: str) -> list[str]:
    """A command for the interpreter that runs this."""
    return [sys.executable, *arguments]


def run(command: Sequence[str], seconds: float) -> tuple[int, str]:
    """Run a command to its end; return its exit code and its output. Raises subprocess.TimeoutExpired."""
    done = subprocess.run(list(command), cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    return done.returncode, done.stdout + done.stderr
