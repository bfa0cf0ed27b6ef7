"""The processes of a story: started here, signalled by pid, ended at the latest with the story.

Law: a child gets a clean environment, its own session and its own files; nobody else's process is ever touched.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import gevent

ROOT = Path(__file__).resolve().parents[2]


class Child:
    """One process and its descendants.

    Args:
        command: Program and arguments.
        log: Where everything it writes is appended to.
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

    @property
    def code(self) -> int | None:
        """Its exit code; None while it lives."""
        return self._process.poll()

    def children(self) -> list[int]:
        """Pids of its living children; gunicorn's are its workers."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL to it and its descendants at once, like a power cut: nobody can tidy up."""
        if self.code is None:
            os.killpg(self.pid, signal.SIGKILL)  # its session's group: it and what it started
        self._process.wait()


def tidy_up_when_ended() -> None:
    """Let SIGTERM unwind the greenlet that calls this: whoever ends us ends the processes of the story too."""
    gevent.signal_handler(signal.SIGTERM, gevent.getcurrent().throw, SystemExit, 143)


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def python(*arguments: str) -> list[str]:
    """A command of the interpreter we run in."""
    return [sys.executable, *arguments]


def run(command: Sequence[str], seconds: float) -> tuple[int, str]:
    """Run to the end; exit code and output."""
    done = subprocess.run(list(command), cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    return done.returncode, done.stdout + done.stderr


def nap(seconds: float) -> None:
    """Let time pass, and other greenlets run."""
    gevent.sleep(seconds)
