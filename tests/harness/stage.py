"""The processes and the folder of one story; all of them are gone after :meth:`Stage.close`."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from enum import Enum
from pathlib import Path
from typing import TypeVar

from tests.harness import databases
from tests.harness.gateway import Gateway
from tests.harness.report import Report
from tests.harness.simulator import Simulator

T = TypeVar("T")


class Scale(Enum):
    """How much a story does."""

    #: a few seconds' worth, for pytest
    SMALL = "small"
    #: less where time matters, for `--fast`
    FAST = "fast"
    #: as much as the published figures need
    FULL = "full"

    def of(self, full: T, fast: T, small: T | None = None) -> T:
        """Choose the value of this scale; without a value for SMALL that of FAST."""
        if self is Scale.FULL:
            return full
        return fast if self is Scale.FAST or small is None else small


class Stage:
    """Simulators, gateways and files of one story.

    Args:
        report: Where the story writes its claims.
        folder: Where files are kept, and stay; without it a temporary folder.
    """

    def __init__(self, report: Report, scale: Scale, folder: Path | None = None) -> None:
        self.report = report
        self.scale = scale
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"acceptance-{report.name}-"))
        self._gateways: list[Gateway] = []
        self._simulators: list[Simulator] = []
        self._undo = contextlib.ExitStack()

    def simulator(self, options: Mapping[str, object] | None = None, *, own_history_port: bool = False) -> Simulator:
        """Start a simulator; options that are not given are as at Genesys."""
        made = Simulator(self.folder, options, own_history_port=own_history_port)
        self._simulators.append(made)
        return made

    def gateway(
        self,
        simulator: Simulator,
        settings: Mapping[str, object] | None = None,
        *,
        name: str = "gateway",
        before: tuple[str, ...] = (),
    ) -> Gateway:
        """Prepare a gateway for that simulator, without starting it; settings not given are at their defaults."""
        folder = self.folder / name
        folder.mkdir()
        given = {"COMMUNICATION_HISTORY_URL": simulator.history_url, **(settings or {})}
        made = Gateway(folder, simulator.url, {key: str(value) for key, value in given.items()}, before)
        self._gateways.append(made)
        return made

    def small_disk(self, name: str, megabytes: int) -> Path | None:
        """Make a file system of that size; None where this account may not mount."""
        where, image = self.folder / name, self.folder / f"{name}.img"
        where.mkdir()
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        if not _done("mkfs.ext4", "-q", str(image)) or not _done("mount", "-o", "loop", str(image), str(where)):
            return None
        self._undo.callback(_done, "umount", "-l", str(where))
        return where

    def database(self) -> str | None:
        """Make a database on the usual PostgreSQL server, which is dropped at the end; None if there is no server."""
        return self._undo.enter_context(databases.postgresql()) if databases.reachable() else None

    def entering(self, context: AbstractContextManager[T]) -> T:
        """Enter a context that is left at the end, after all gateways and simulators."""
        return self._undo.enter_context(context)

    def at_the_end(self, action: Callable[[], object]) -> None:
        """Have something done at the end, after all gateways and simulators have ended."""
        self._undo.callback(action)

    def close(self, *, keep: bool) -> None:
        """End every process; ``keep`` leaves a temporary folder in place."""
        for gateway in self._gateways:
            gateway.close()
        for simulator in self._simulators:
            simulator.process.kill()
        self._undo.close()
        if self._temporary and not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def _done(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
