"""A database for one play: a file in its folder, or one of its own on a PostgreSQL server."""

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
    """Whether there is a server to make databases on."""
    try:
        psycopg.connect(_server(PORT), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def postgresql(port: int = PORT) -> Iterator[str]:
    """The name of a new database, dropped afterwards whoever still uses it."""
    name = f"chaos_{uuid4().hex[:12]}"
    _say(port, f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        _say(port, f"DROP DATABASE {name} WITH (FORCE)")


def url(name: str, port: int = PORT) -> str:
    """What DATABASE_URL says; another port is that of a proxy."""
    return f"postgresql+psycopg://postgres@{HOST}:{port}/{name}"


def end_sessions(name: str, port: int = PORT) -> int:
    """Have the server end every session of that database; how many there were."""
    with psycopg.connect(_server(port), autocommit=True) as connection:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
        row = connection.execute(query, [name]).fetchone()
        return int(row[0]) if row else 0


class OwnServer:
    """A PostgreSQL server of this play's own, which may be stopped and crashed; fsync and all else at their defaults.

    Args:
        programs: Where ``initdb`` and ``pg_ctl`` lie.
        folder: Empty; the account that runs it owns it.
        account: Who runs it, where we are root: PostgreSQL refuses to run as root.
    """

    def __init__(self, programs: Path, folder: Path, account: str | None) -> None:
        self.port = free_port()
        self._programs = programs
        self._folder = folder
        ids = (f"--reuid={account}", f"--regid={account}", "--init-groups")
        self._before = () if account is None else ("setpriv", *ids)
        self._run("initdb", "--auth=trust", "--username=postgres", f"--pgdata={folder / 'data'}")
        self.start()
        _say(self.port, "CREATE DATABASE test", "postgres")

    def start(self) -> None:
        """Start it; after a crash it recovers from its log first."""
        options = f"-p {self.port} -c listen_addresses={HOST} -c unix_socket_directories=''"
        self._pg_ctl("start", "-w", "-t", str(_SECONDS), "-o", options, "-l", str(self._folder / "log"))

    def stop(self) -> None:
        """Stop it in order: sessions are ended, what is committed is written."""
        self._pg_ctl("stop", "-m", "fast")

    def crash(self) -> None:
        """Stop it at once, as a power cut would: what is committed is in its log only."""
        self._pg_ctl("stop", "-m", "immediate")

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        self._run("pg_ctl", action, f"--pgdata={self._folder / 'data'}", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._before, str(self._programs / program), *arguments]
        # A server that inherited a pipe would keep its reader waiting for ever.
        subprocess.run(command, check=True, timeout=2 * _SECONDS, cwd=self._folder, stdout=subprocess.DEVNULL)


@contextmanager
def own_server() -> Iterator[OwnServer | None]:
    """A server that nobody else uses; None where its programs are not installed."""
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


def _say(port: int, statement: str, database: str = "test") -> None:
    with psycopg.connect(_server(port, database), autocommit=True) as connection:
        connection.execute(statement.encode())
