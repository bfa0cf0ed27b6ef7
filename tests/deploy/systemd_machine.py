"""A real systemd in namespaces of its own, with journald: units are run by what runs them in production.

It shares the network with the test, so a simulator and PostgreSQL at 127.0.0.1 can be reached. Everything that it
writes is in memory. It needs root, and a kernel that allows namespaces and has cgroup 2.

Invariant: no process of it outlives the test, and nothing of this machine's own systemd is touched.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from tests.harness.processes import Process
from tests.harness.waiting import until, wait_for

SYSTEMD = Path("/lib/systemd/systemd")
_UNITS = Path("/lib/systemd/system")
_BOOT = Path(__file__).with_name("boot.sh")
_NAMESPACES = ("unshare", "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child")
#: What units expect to be there. Nothing happens in them.
_TARGETS = ("sysinit", "basic", "shutdown", "network-online", "multi-user", "sockets", "slices", "local-fs", "umount")
_JOURNAL = ("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket")
_START_SECONDS = 20.0
_COMMAND_SECONDS = 90


def missing() -> str | None:
    """Why no systemd can be started here; None if it can."""
    if os.geteuid() != 0:
        return "a systemd of one's own needs root"
    if not SYSTEMD.exists() or not all((_UNITS / name).exists() for name in _JOURNAL):
        return "systemd is not installed"
    for program in ("unshare", "nsenter", "systemctl", "journalctl", "systemd-sysusers"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if _cgroup2() is None:
        return "there is no cgroup 2"
    if subprocess.run([*_NAMESPACES, "true"], capture_output=True, timeout=20, check=False).returncode != 0:
        return "the kernel allows no namespaces"
    return None


class Machine:
    """A running systemd.

    Args:
        init: Its pid outside.
    """

    def __init__(self, init: int, unit_path: str) -> None:
        self._enter = ("nsenter", f"--target={init}", "--pid", "--mount", "--uts", "--ipc", "--cgroup")
        self._environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SYSTEMD_UNIT_PATH": unit_path,
            "SYSTEMD_PAGER": "cat",
        }

    def attempt(self, script: str, folder: Path = Path("/")) -> tuple[int, str]:
        """Run a script as root; returns its exit code and its output."""
        done = subprocess.run(
            [*self._enter, f"--wd={folder}", "bash", "-euc", script],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout

    def run(self, script: str, folder: Path = Path("/")) -> str:
        """Run a script that has to succeed, and return its output."""
        code, output = self.attempt(script, folder)
        assert code == 0, f"{script}\n{output}\n{self.attempt('journalctl --no-pager --lines=40')[1]}"
        return output

    def write(self, path: str, text: str) -> None:
        """Write a file, and make its folder."""
        script = f"mkdir -p {Path(path).parent} && cat > {path}"
        subprocess.run([*self._enter, "sh", "-c", script], env=self._environment, input=text, text=True, check=True)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit, by name."""
        names = ",".join(properties)
        lines = self.run(f"systemctl show {unit} --property={names}").splitlines()
        return dict(line.split("=", 1) for line in lines)


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Start a systemd, and kill it with all that it started.

    Args:
        folder: For its log and the units that it finds.
    """
    units = folder / "units"
    _write_units(units)
    group = _cgroup2()
    assert group is not None, missing()
    group /= f"genesys-gateway-test-{uuid4().hex[:8]}"
    group.mkdir()
    join = ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "join")
    process = Process([*join, *_NAMESPACES, "bash", str(_BOOT), str(folder)], {}, folder / "boot.log")
    try:
        until(lambda: process.code is not None or process.children(), _START_SECONDS, "it has forked")
        assert process.code is None, process.log.read_text()
        found = Machine(process.children()[0], f"/etc/systemd/system:{units}")
        until(lambda: process.code is not None or _has_booted(found), _START_SECONDS, f"see {process.log}")
        assert process.code is None, process.log.read_text()
        yield found
    finally:
        process.kill()
        assert wait_for(lambda: _removed(group), _START_SECONDS) is not None, f"{group} is still in use"


def _has_booted(found: Machine) -> bool:
    _, output = found.attempt("systemctl is-system-running")
    return output.strip() in ("running", "degraded")


def _write_units(units: Path) -> None:
    units.mkdir()
    for name in _TARGETS:
        (units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    wants = "Wants=systemd-journald.service\nAfter=systemd-journald.socket\n"
    (units / "test.target").write_text(f"[Unit]\nDefaultDependencies=no\n{wants}")
    for name in _JOURNAL:
        shutil.copy(_UNITS / name, units / name)


def _cgroup2() -> Path | None:
    """Where the hierarchy of cgroup 2 is mounted."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2" and os.access(place, os.W_OK):
            return Path(place)
    return None


def _removed(group: Path) -> bool:
    """Remove a cgroup with those below it; False while a process is in one."""
    try:
        for below in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            below.rmdir()
        group.rmdir()
    except OSError:
        return False
    return True
