"""Where one story is played: a folder, a contact centre, gateways; everything is gone afterwards."""

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from proof.centre import Centre
from proof.gateway import Gateway
from proof.report import Report


class Stage:
    """Give it to a story, then close it.

    Args:
        report: Where the story tells.
        fast: Whether a story may take smaller numbers.
    """

    def __init__(self, report: Report, *, fast: bool) -> None:
        self.report = report
        self.fast = fast
        self.folder = Path(tempfile.mkdtemp(prefix=f"proof-{report.name}-"))
        self._gateways: list[Gateway] = []
        self._centres: list[Centre] = []
        self._undo = contextlib.ExitStack()

    def centre(self, *, own_history_port: bool = False, **dials: float) -> Centre:
        """A simulator."""
        made = Centre(self.folder, own_history_port=own_history_port, **dials)
        self._centres.append(made)
        return made

    def gateway(
        self, centre: Centre, *, name: str = "gateway", before: tuple[str, ...] = (), **settings: str
    ) -> Gateway:
        """A gateway before that contact centre, not started yet."""
        folder = self.folder / name
        folder.mkdir()
        made = Gateway(folder, centre, settings, before)
        self._gateways.append(made)
        return made

    def mount_tmpfs(self, name: str, megabytes: int) -> Path | None:
        """A small file system of its own; None where we may not mount."""
        where = self.folder / name
        where.mkdir(exist_ok=True)
        if _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(where)) != 0:
            return None
        self._undo.callback(subprocess.run, ["umount", "-l", str(where)], check=False)
        return where

    def remount(self, where: Path, how: str) -> bool:
        """``ro`` or ``rw``."""
        return _mount("-o", f"remount,{how}", str(where)) == 0

    def close(self, *, keep: bool) -> None:
        """End every process; ``keep`` leaves the folder to be looked at."""
        for child in [g.child for g in self._gateways if hasattr(g, "child")] + [c.child for c in self._centres]:
            child.kill()
        self._undo.close()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def _mount(*arguments: str) -> int:
    try:
        return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode
    except FileNotFoundError:
        return 1
