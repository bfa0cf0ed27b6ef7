"""A shell that runs the blocks of one page in order, as a reader would paste them."""

import os
import signal
import subprocess
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tests.documents.stages import Scene
from tests.harness.waiting import wait_for

#: Longest time of one block, of a server until it listens, and until it has ended; three times as long as on a quiet
#: machine.
BLOCK_SECONDS, _LISTEN_SECONDS, _END_SECONDS = 180.0, 90.0, 90.0
_SHOWN_CHARACTERS = 3000
#: State of a listening socket in /proc/net/tcp.
_LISTENING = "0A"


class Failure(Exception):
    """A block did not do what its page says."""


class Shell:
    """Bash in the folder and with the environment of a stage.

    Args:
        notes: A folder for what the shell is given and what it prints.
    """

    def __init__(self, scene: Scene, notes: Path) -> None:
        self._notes = notes
        self._number = 0
        self._servers: list[tuple[int, Path]] = []
        self._process = subprocess.Popen(
            ("bash", "--noprofile", "--norc"),
            cwd=scene.folder,
            env=dict(scene.environment),
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._say("set -eu -o pipefail")

    def run(self, text: str, code: int = 0) -> None:
        """Run a block to its end. Raises Failure if it ends with another code, or not in time."""
        script, printed, told = self._files(text)
        inside = f". {script} </dev/null >{printed} 2>&1"
        self._say(f"set +e; ( set -e; {inside} ); echo $? >{told}; set -e" if code else f"{inside}; echo $? >{told}")
        if wait_for(lambda: _number(told) is not None or self._ended is not None, BLOCK_SECONDS) is None:
            raise Failure(f"not done after {BLOCK_SECONDS:.0f} s\n{_tail(printed)}")
        found = _number(told) if _number(told) is not None else self._ended
        if found != code:
            raise Failure(f"exit code {found}, not {code}\n{_tail(printed)}")

    def start(self, text: str) -> None:
        """Start a server. Raises Failure if it ends, or does not listen in time."""
        script, printed, told = self._files(text)
        before = _listening()
        self._say(f"set -m; . {script} </dev/null >{printed} 2>&1 & echo $! >{told}; set +m")
        wait_for(lambda: _number(told), _LISTEN_SECONDS)
        group = _number(told)
        if group is None:
            raise Failure("the shell did not start it")
        self._servers.append((group, printed))
        wait_for(lambda: _serving(_listening() - before) or not _alive(group), _LISTEN_SECONDS)
        if not _alive(group) or not _listening() - before:
            raise Failure(f"it {'listens nowhere' if _alive(group) else 'ended'}\n{_tail(printed)}")

    def end(self) -> None:
        """End the servers by SIGTERM. Raises Failure if one had ended before, or goes on."""
        for group, printed in reversed(self._servers):
            if not _alive(group):
                raise Failure(f"a server in the background ended before its page did\n{_tail(printed)}")
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGTERM)
            if wait_for(partial(_gone, group), _END_SECONDS) is None:
                raise Failure(f"SIGTERM did not end a server in the background\n{_tail(printed)}")

    @property
    def _ended(self) -> int | None:
        return self._process.poll()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()

    def _files(self, text: str) -> tuple[Path, Path, Path]:
        """The file of a block, that of what it prints, and that of its code or pid."""
        self._number += 1
        script, printed, told = (self._notes / f"{self._number}.{kind}" for kind in ("sh", "printed", "told"))
        script.write_text(text)
        return script, printed, told


def _number(file: Path) -> int | None:
    text = file.read_text() if file.exists() else ""
    return int(text) if text.endswith("\n") else None


def _tail(printed: Path) -> str:
    return printed.read_text(errors="replace")[-_SHOWN_CHARACTERS:] if printed.exists() else ""


def _alive(group: int) -> bool:
    """Whether a process of that group runs; one that only waits to be collected does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _parent, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                return True
    return False


def _gone(group: int) -> bool:
    return not _alive(group)


def _listening() -> set[int]:
    """The TCP ports at which somebody listens in this namespace."""
    ports: set[int] = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            if state == _LISTENING:
                ports.add(int(local.rpartition(":")[2], 16))
    return ports


def _serving(ports: set[int]) -> bool:
    """Whether there are such ports, and no gateway among them that is not ready yet."""
    return bool(ports) and all(_answers(port) for port in ports)


def _answers(port: int) -> bool:
    try:
        urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
    except HTTPError as answer:
        return answer.code != 503
    except (URLError, OSError):
        return False
    return True
