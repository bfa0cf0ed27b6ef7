"""Virtual environments for programs that need what the service does not: made once, below `build`."""

import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

from tests.harness.processes import ROOT


def python_with(name: str, needs: Sequence[str]) -> Path:
    """The interpreter of a venv with these requirements; the venv is made if it is missing or they have changed.

    Args:
        name: Its folder, below `build`.
    """
    home = ROOT / "build" / name
    note = home / "installed.txt"
    python = home / "bin" / "python"
    if not note.exists() or note.read_text(encoding="utf-8") != " ".join(needs):
        venv.create(home, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needs]
        subprocess.run(install, check=True)
        note.write_text(" ".join(needs), encoding="utf-8")
    return python
