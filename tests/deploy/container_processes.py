"""Runs the services of compose.yaml as plain processes, with the names, ports, commands and settings of the file.

What Docker would do is done by hand: names lead to an address of loopback for each service, mounts and volumes are
folders, and images are the programs of this machine. Two things are replaced in commands and settings: ``0.0.0.0`` by
the address of the service, and paths below mounts. It has to run in network and mount namespaces of its own, see
:func:`own_network`.
"""

import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.composed import Service, file_of, services
from tests.deploy.dockerfile import instructions, stages
from tests.harness.databases import server_programs
from tests.harness.processes import ROOT, Process
from tests.harness.waiting import wait_for

#: A busy machine takes several times as long as a quiet one.
_START_SECONDS = 60.0
#: Between two health checks: each starts a program.
_HEALTH_SECONDS = 0.2
#: An absolute path, but not the path of a URL.
_PATH = re.compile(r"(?<![\w:./])/[\w./-]+")
#: From linux/sockios.h and linux/if.h: set the flags of an interface; it is up and running.
_SET_FLAGS, _UP = 0x8914, 0x41
_IN_HOST_NAME = ("unshare", "--uts", "--", "sh", "-c", 'hostname "$0" && exec "$@"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What an image says about its container."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM


def _of_the_dockerfile() -> Image:
    last = stages(instructions((ROOT / "Dockerfile").read_text()))[-1]
    told = {one.name: tuple(one.exec_form) for one in last if one.name in ("ENTRYPOINT", "CMD")}
    return Image(entrypoint=told["ENTRYPOINT"], command=told["CMD"])


#: By the name before the tag. Grafana is missing: Debian has no package of it.
IMAGES = {
    "genesys-gateway": _of_the_dockerfile(),
    "postgres": Image(command=("postgres",), stop_signal=signal.SIGINT),
    # Its script adds -W -db: a master process in the foreground.
    "haproxy": Image(
        command=("haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"), stop_signal=signal.SIGUSR1
    ),
    "prom/prometheus": Image(entrypoint=("prometheus",)),
}
_PROGRAMS = {
    "python": (sys.executable,),
    "genesys-gateway": (sys.executable, "-m", "genesys_gateway"),
}


def missing_programs() -> list[str]:
    """The programs without which nothing can be run here."""
    needed = ("unshare", "mount", "hostname", "setpriv", "haproxy", "prometheus", "wget", "pg_isready", "curl", "jq")
    return [*(one for one in needed if program(one) is None), *(() if server_programs() else ("initdb",))]


def program(name: str) -> str | None:
    """The path of a program; those of administrators count, too."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def own_network() -> tuple[str, ...]:
    """The words before a command that give it namespaces of its own: all its processes end with it."""
    alone = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts")
    return ("unshare", *(() if os.geteuid() == 0 else ("--map-current-user", "--keep-caps")), *alone)


def image_of(service: Service) -> Image | None:
    """What the image of a service runs; None if it can't be had here."""
    return IMAGES.get(service.image.rpartition(":")[0])


class Containers:
    """The services as processes.

    Args:
        folder: Everything that they write. Every account may enter it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: Name -> address of loopback.
        self.addresses = {name: f"127.0.1.{number}" for number, name in enumerate(services(), 1)}
        self.running: dict[str, Process] = {}

    def enter(self) -> None:
        """Prepare the network: loopback is up, and the names of all services lead to their addresses."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
        hosts = self.folder / "hosts"
        lines = [f"{address} {name}" for name, address in self.addresses.items()]
        hosts.write_text("\n".join(["127.0.0.1 localhost", *lines]) + "\n")
        subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
        for service in services().values():
            self._mount(service)

    def path(self, service: Service, inside: str) -> Path:
        """Where a path of a container is on this machine."""
        return self.folder / service.name / inside.lstrip("/")

    def start(self, service: Service) -> None:
        """Start a service once those that it needs are there."""
        for name in service.needs:
            self.until_there(services()[name])
        command = [*_IN_HOST_NAME, service.hostname, *self._command(service)]
        self.running[service.name] = Process(command, self._environment(service), self._log(service))

    def until_there(self, service: Service) -> None:
        """Wait until a service is healthy, or has done its work if it has no health check."""
        process = self.running.get(service.name)
        if process is None:
            return  # its work was done
        if service.health is None:
            assert process.wait(_START_SECONDS) == 0, self._log(service).read_text()
            del self.running[service.name]
            return
        took = wait_for(lambda: process.code is not None or self.is_healthy(service), _START_SECONDS, _HEALTH_SECONDS)
        assert took is not None, f"{service.name} is not healthy"
        assert process.code is None, self._log(service).read_text()

    def is_healthy(self, service: Service) -> bool:
        """Run the health check of a service, in its environment."""
        assert service.health is not None
        return self.execute(service, service.health).returncode == 0

    def execute(self, service: Service, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in a container, as ``docker compose exec`` does."""
        environment = {"PATH": os.environ["PATH"], **self._environment(service)}
        words = self._here(service, command)
        return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def kill(self, service: Service) -> None:
        """End a service at once, as ``docker compose kill`` does."""
        self.running.pop(service.name).kill()

    def stop(self, service: Service) -> int:
        """End a service as ``docker compose stop`` does, within the time that it has; returns the exit code."""
        image = image_of(service)
        assert image is not None
        process = self.running.pop(service.name)
        process.signal(image.stop_signal)
        return process.wait(service.grace_seconds)

    def _log(self, service: Service) -> Path:
        return self.folder / f"{service.name}.log"

    def _mount(self, service: Service) -> None:
        for mount in service.mounts:
            source = file_of(mount)
            if mount.is_volume:
                source = self.folder / "volumes" / mount.source
                source.mkdir(parents=True, exist_ok=True)
            target = self.path(service, mount.target)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)

    def _command(self, service: Service) -> list[str]:
        image = image_of(service)
        assert image is not None
        entrypoint = image.entrypoint if service.entrypoint is None else service.entrypoint
        command = service.command if service.command is not None else image.command
        if service.image.startswith("postgres:"):
            return self._postgresql(service)
        return self._here(service, [*entrypoint, *command])

    def _here(self, service: Service, command: Sequence[str]) -> list[str]:
        first, *others = command
        here = _PROGRAMS.get(first) or (program(first) or first,)
        return [*here, *(self._adapted(service, word) for word in others)]

    def _environment(self, service: Service) -> Mapping[str, str]:
        return {name: self._adapted(service, value) for name, value in service.environment.items()}

    def _adapted(self, service: Service, text: str) -> str:
        targets = [Path(mount.target) for mount in service.mounts]

        def here(found: re.Match[str]) -> str:
            path = Path(found[0])
            mounted = any(path.is_relative_to(target) or target.is_relative_to(path) for target in targets)
            return str(self.path(service, found[0])) if mounted else found[0]

        return _PATH.sub(here, text).replace("0.0.0.0", self.addresses[service.name])

    def _postgresql(self, service: Service) -> list[str]:
        """What the script of the image does at its first start; returns the command of the server."""
        programs, data = server_programs(), self.path(service, "/var/lib/postgresql/data").resolve()
        assert programs is not None
        before: tuple[str, ...] = ()
        if os.geteuid() == 0:
            shutil.chown(data, "postgres", "postgres")
            before = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
        environment = self._environment(service)
        user, database = environment["POSTGRES_USER"], environment["POSTGRES_DB"]
        secret = f"--pwfile={environment['POSTGRES_PASSWORD_FILE']}"
        initialise = [*before, str(programs / "initdb"), "--no-sync", f"--username={user}", secret, f"--pgdata={data}"]
        subprocess.run(initialise, check=True, cwd=data, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")
        single = [*before, str(programs / "postgres"), "--single", "-D", str(data), "postgres"]
        create = f"CREATE DATABASE {database}\n"
        subprocess.run(single, check=True, cwd=data, input=create, text=True, stdout=subprocess.DEVNULL)
        options = [f"listen_addresses={self.addresses[service.name]}", "unix_socket_directories="]
        return [
            *before,
            str(programs / "postgres"),
            "-D",
            str(data),
            *(word for one in options for word in ("-c", one)),
        ]
