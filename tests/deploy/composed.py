"""What deploy/compose/compose.yaml says, service by service, in the words of this project."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.harness.processes import ROOT

FOLDER = ROOT / "deploy" / "compose"
FILE = FOLDER / "compose.yaml"
#: The document about it.
PAGE = ROOT / "docs" / "compose.md"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """What a container sees at a path: a file or folder of the project, or a volume."""

    source: str
    target: str
    read_only: bool

    @property
    def is_volume(self) -> bool:
        """Whether it is a named volume; else it is a path relative to the file."""
        return not self.source.startswith((".", "/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service. None where the file leaves something to the image."""

    name: str
    image: str
    entrypoint: Sequence[str] | None
    command: Sequence[str] | None
    environment: Mapping[str, str]
    mounts: Sequence[Mount]
    tmpfs: Sequence[str]
    #: Published port on this machine, with its address -> port of the container.
    ports: Mapping[str, int]
    #: Program and arguments of the health check.
    health: Sequence[str] | None
    #: Service that has to be there first -> healthy, or completed.
    needs: Mapping[str, str]
    profiles: Sequence[str]
    hostname: str
    grace_seconds: float
    #: As it stands in the file, for what only one test looks at.
    raw: Mapping[str, Any]


@cache
def document() -> dict[str, Any]:
    """The whole file. It uses no variables, so nothing is substituted: a test sees to that."""
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


@cache
def services() -> dict[str, Service]:
    """All services, in the order of the file."""
    return {name: _service(name, raw) for name, raw in document()["services"].items()}


def seconds(duration: str) -> float:
    """A duration as compose writes it: 35s, 500ms."""
    found = re.fullmatch(r"(\d+)(ms|s|m)", duration)
    assert found, duration
    return float(found[1]) * _UNITS[found[2]]


def in_order() -> list[Service]:
    """All services, each after those that it needs; those that need nothing come first."""
    return sorted(services().values(), key=_depth)


def _depth(service: Service) -> int:
    return 1 + max((_depth(services()[name]) for name in service.needs), default=0)


def _service(name: str, raw: Mapping[str, Any]) -> Service:
    return Service(
        name=name,
        image=raw["image"],
        entrypoint=raw.get("entrypoint"),
        command=raw.get("command"),
        environment=raw.get("environment", {}),
        mounts=[_mount(text) for text in raw.get("volumes", ())],
        tmpfs=raw.get("tmpfs", ()),
        ports=dict(_port(text) for text in raw.get("ports", ())),
        health=_health(raw.get("healthcheck", {})),
        needs={other: needed["condition"] for other, needed in raw.get("depends_on", {}).items()},
        profiles=raw.get("profiles", ()),
        hostname=raw.get("hostname", name),
        grace_seconds=seconds(raw.get("stop_grace_period", "10s")),
        raw=raw,
    )


def _mount(text: str) -> Mount:
    source, target, *options = text.split(":")
    return Mount(source=source, target=target, read_only=options == ["ro"])


def _port(text: str) -> tuple[str, int]:
    published, _, inside = text.rpartition(":")
    return published, int(inside)


def _health(raw: Mapping[str, Any]) -> Sequence[str] | None:
    if raw.get("disable", not raw):
        return None
    words: list[str] = raw["test"]
    assert words[0] == "CMD", "a health check needs no shell"
    return words[1:]


def file_of(mount: Mount) -> Path:
    """The file or folder of the project that a container sees."""
    return (FOLDER / mount.source).resolve()
