"""The package as its users get it: built as a wheel, and installed where no file of the project is."""

import site
import subprocess
import sys
from pathlib import Path

from tests.harness.processes import ROOT


def build_wheel(folder: Path) -> Path:
    """Build the wheel of the project into a folder, with the packages that are installed."""
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    return next(folder.glob("genesys_gateway-*.whl"))


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel into a new virtual environment, which finds the packages that it needs in this one.

    Returns:
        The folder with the command ``genesys-gateway``.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "needed.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True, timeout=60)
    return folder / "bin"
