"""PostgreSQL for one run: a database of its own on the usual server, or a whole server of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from tests.harness.processes import free_port

KINDS = ("sqlite", "postgresql")
HOST, PORT = "127.0.0.1", 5432
_DEBIAN = Path("/usr/lib/postgresql")
_SECONDS = 60


def reachable() -> bool:
    """Whether the usual PostgreSQL server answers."""
    try:
        psycopg.connect(_server(PORT), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def postgresql(port: int = PORT) -> Iterator[str]:
    """Make a database and yield its name; it is dropped afterwards even if it is still in use."""
    name = f"chaos_{uuid4().hex[:12]}"
    _execute(port, f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        _execute(port, f"DROP DATABASE {name} WITH (FORCE)")


def url(name: str, port: int = PORT) -> str:
    """The DATABASE_URL of a database; another port may be that of a proxy."""
    return f"postgresql+psycopg://postgres@{HOST}:{port}/{name}"


def end_sessions(name: str, port: int = PORT) -> int:
    """Have the server end every session of a database; returns their number."""
    with psycopg.connect(_server(port), autocommit=True) as connection:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
        row = connection.execute(query, [name]).fetchone()
        return int(row[0]) if row else 0


class OwnServer:
    """A PostgreSQL server of this run's own, which may be stopped and crashed; its settings are the defaults.

    Args:
        programs: The folder of ``initdb`` and ``pg_ctl``.
        folder: An empty folder, owned by the account that runs the server.
        account: The account that runs it if we are root: PostgreSQL refuses to run as root.
    """

    def __init__(self, programs: Path, folder: Path, account: str | None) -> None:
        self.port = free_port()
        self._programs = programs
        self._folder = folder
        ids = (f"--reuid={account}", f"--regid={account}", "--init-groups")
        self._before = () if account is None else ("setpriv", *ids)
        self._run("initdb", "--auth=trust", "--username=postgres", f"--pgdata={folder / 'data'}")
        self.start()
        _execute(self.port, "CREATE DATABASE test", "postgres")

    def start(self) -> None:
        """Start it; after a crash it first recovers from its log."""
        options = f"-p {self.port} -c listen_addresses={HOST} -c unix_socket_directories=''"
        self._pg_ctl("start", "-w", "-t", str(_SECONDS), "-o", options, "-l", str(self._folder / "log"))

    def stop(self) -> None:
        """Shut it down: sessions are ended and everything committed is written to the data files."""
        self._pg_ctl("stop", "-m", "fast")

    def crash(self) -> None:
        """Stop it at once, like a power cut: the latest commits are in its log only."""
        self._pg_ctl("stop", "-m", "immediate")

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        self._run("pg_ctl", action, f"--pgdata={self._folder / 'data'}", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._before, str(self._programs / program), *arguments]
        # A server that inherited a pipe would keep the reader of the pipe waiting for ever.
        subprocess.run(command, check=True, timeout=2 * _SECONDS, cwd=self._folder, stdout=subprocess.DEVNULL)


@contextmanager
def own_server() -> Iterator[OwnServer | None]:
    """Yield a server of its own; None if its programs are not installed."""
    programs = _programs()
    if programs is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="chaos-postgresql-"))
    account = "postgres" if os.geteuid() == 0 else None
    if account is not None:
        shutil.chown(folder, account, account)
    server: OwnServer | None = None
    try:
        server = OwnServer(programs, folder, account)
        yield server
    finally:
        if server is not None:
            server.crash()
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    places = sorted(_DEBIAN.glob("*/bin"), key=lambda place: int(place.parent.name), reverse=True)
    if found := shutil.which("initdb"):
        places.append(Path(found).parent)
    return next((place for place in places if (place / "initdb").exists()), None)


def _server(port: int, database: str = "test") -> str:
    return f"postgresql://postgres@{HOST}:{port}/{database}"


def _execute(port: int, statement: str, database: str = "test") -> None:
    with psycopg.connect(_server(port, database), autocommit=True) as connection:
        connection.execute(statement.encode())
