"""Where one story is played: a folder, a contact centre, gateways; everything is gone afterwards."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.harness.gateway import Gateway
from tests.harness.report import Report
from tests.harness.simulator import Centre


class Stage:
    """Give it to a story, then close it.

    Args:
        report: Where the story tells.
        fast: Whether a story may take smaller numbers.
    """

    def __init__(self, report: Report, *, fast: bool) -> None:
        self.report = report
        self.fast = fast
        self.folder = Path(tempfile.mkdtemp(prefix=f"acceptance-{report.name}-"))
        self._gateways: list[Gateway] = []
        self._centres: list[Centre] = []
        self._undo = contextlib.ExitStack()

    def centre(self, dials: Mapping[str, float] | None = None, *, own_history_port: bool = False) -> Centre:
        """A simulator; what it is not told is as at Genesys."""
        made = Centre(self.folder, dials or {}, own_history_port=own_history_port)
        self._centres.append(made)
        return made

    def gateway(
        self,
        centre: Centre,
        settings: Mapping[str, object] | None = None,
        *,
        name: str = "gateway",
        before: tuple[str, ...] = (),
    ) -> Gateway:
        """A gateway before that contact centre, not started yet; settings it is not given are at their defaults."""
        folder = self.folder / name
        folder.mkdir()
        made = Gateway(folder, centre, {key: str(value) for key, value in (settings or {}).items()}, before)
        self._gateways.append(made)
        return made

    def small_disk(self, name: str, megabytes: int) -> Path | None:
        """A file system of its own; None where we may not mount."""
        where, image = self.folder / name, self.folder / f"{name}.img"
        where.mkdir()
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        if not _done("mkfs.ext4", "-q", str(image)) or not _done("mount", "-o", "loop", str(image), str(where)):
            return None
        self._undo.callback(_done, "umount", "-l", str(where))
        return where

    def close(self, *, keep: bool) -> None:
        """End every process; ``keep`` leaves the folder to be looked at."""
        for gateway in self._gateways:
            gateway.close()
        for centre in self._centres:
            centre.child.kill()
        self._undo.close()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def _done(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
