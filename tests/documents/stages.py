"""Where the commands of the documents are run: a folder, an environment, and the processes that run by then."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.harness import databases
from tests.harness.gateway import BACKOFFICE_TOKEN, BOFE_TOKEN, OPS_TOKEN, Gateway
from tests.harness.judge import customer_of
from tests.harness.processes import ROOT
from tests.harness.simulator import Simulator

_SIMULATOR_PORT, _GATEWAY_PORT = 9000, 8080
_VENV = Path(sys.executable).parent
#: How the wheel installs the command; the venv of the tests has no wheel.
_CONSOLE_SCRIPT = f'#!/bin/sh\nexec {sys.executable} -m genesys_gateway "$@"\n'

#: Without it curl ends with 0 whatever it was answered, and a document could show a call that is refused.
_CURL = "fail-with-body\nmax-time = 30\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a stage gives to the shell."""

    folder: Path
    environment: Mapping[str, str]


def nothing(folder: Path, _until_end: ExitStack) -> Scene:
    """An empty folder, and the programs that somebody has who installed the wheel."""
    return Scene(folder=_made(folder / "empty"), environment=_programs(folder) | {"PYTHONPATH": str(ROOT)})


def checkout(folder: Path, _until_end: ExitStack) -> Scene:
    """A copy of what Git tracks, with everything installed."""
    copy = _made(folder / "genesys-gateway")
    for name in _tracked():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
        if name.endswith(".py"):
            _copy_compiled(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(_VENV.parent)
    # Then make never tries to install what is installed, without a network.
    for listed in copy.glob("requirements*.txt"):
        os.utime(listed, (0, 0))
    return Scene(folder=copy, environment=_programs(folder))


def simulated(folder: Path, until_end: ExitStack) -> Scene:
    """A simulator and a gateway on SQLite, with one registered conversation."""
    work = _made(folder / "work")
    _made(work / "var")
    return _serving(folder, work, f"sqlite:///{work}/var/gateway.db", until_end)


def postgresql(folder: Path, until_end: ExitStack) -> Scene:
    """The same on a database of PostgreSQL, with what psql and pg_dump want to know."""
    name = until_end.enter_context(databases.postgresql())
    scene = _serving(folder, _made(folder / "work"), databases.url(name), until_end)
    libpq = {"PGHOST": databases.HOST, "PGPORT": str(databases.PORT), "PGUSER": "postgres", "PGDATABASE": name}
    return Scene(folder=scene.folder, environment={**scene.environment, **libpq})


STAGES: Mapping[str, Callable[[Path, ExitStack], Scene]] = {
    "nothing": nothing,
    "checkout": checkout,
    "simulated": simulated,
    "postgresql": postgresql,
}


def _serving(folder: Path, work: Path, database_url: str, until_end: ExitStack) -> Scene:
    simulator = Simulator(folder, port=_SIMULATOR_PORT)
    until_end.callback(simulator.process.kill)
    settings = {"GENESYS_GRANT_TYPE": "client-credentials", "DATABASE_URL": database_url}
    gateway = Gateway(folder, simulator.url, settings, port=_GATEWAY_PORT)
    until_end.callback(gateway.close)
    gateway.start()
    session = simulator.start()
    gateway.register_all([session])
    ids = {
        "TOKEN": BOFE_TOKEN,
        "OPS_TOKEN": OPS_TOKEN,
        "BACKOFFICE_TOKEN": BACKOFFICE_TOKEN,
        "INTERACTION": session.conversation,
        "CUSTOMER": customer_of(session.conversation),
    }
    return Scene(
        folder=work, environment=_programs(folder) | {"PYTHONPATH": str(ROOT)} | ids | dict(gateway.environment)
    )


def _programs(folder: Path) -> dict[str, str]:
    """The variables that every shell has."""
    script = _made(folder / "bin") / "genesys-gateway"
    script.write_text(_CONSOLE_SCRIPT)
    script.chmod(0o755)
    home = _made(folder / "home")
    (home / ".curlrc").write_text(_CURL)
    path = f"{script.parent}:{_VENV}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "TERM": "dumb"}


def _copy_compiled(source: Path, copy: Path) -> None:
    """Copy what Python made of a source file, so that no process has to do that again."""
    for compiled in (source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"):
        (copy.parent / "__pycache__").mkdir(exist_ok=True)
        shutil.copy2(compiled, copy.parent / "__pycache__" / compiled.name)


def _tracked() -> list[str]:
    listed = subprocess.run(("git", "ls-files"), cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
