"""PostgreSQL for one run: a database of its own on the usual server, or a whole server of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
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
        psycopg.connect(dsn(), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def postgresql(port: int = PORT) -> Iterator[str]:
    """Make a database and yield its name; it is dropped afterwards even if it is still in use."""
    name = f"chaos_{uuid4().hex[:12]}"
    execute(f"CREATE DATABASE {name}", port=port)
    try:
        yield name
    finally:
        execute(f"DROP DATABASE {name} WITH (FORCE)", port=port)


def url(name: str, port: int = PORT, role: str = "postgres") -> str:
    """The DATABASE_URL of a database; another port may be that of a proxy."""
    return f"postgresql+psycopg://{role}@{HOST}:{port}/{name}"


def dsn(database: str = "test", port: int = PORT) -> str:
    """The same for psycopg."""
    return f"postgresql://postgres@{HOST}:{port}/{database}"


def execute(statement: str, database: str = "test", port: int = PORT) -> None:
    """Execute and commit one or several statements."""
    with psycopg.connect(dsn(database, port), autocommit=True) as connection:
        connection.execute(statement.encode())


def end_sessions(name: str, port: int = PORT) -> int:
    """Have the server end every session of a database; returns their number."""
    with psycopg.connect(dsn(port=port), autocommit=True) as connection:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
        row = connection.execute(query, [name]).fetchone()
        return int(row[0]) if row else 0


class OwnServer:
    """A PostgreSQL server of this run's own, which may be stopped and crashed; its settings are the defaults.

    Args:
        programs: The folder of ``initdb`` and ``pg_ctl``.
        folder: An empty folder, owned by the account that runs the server.
        account: The account that runs it if we are root: PostgreSQL refuses to run as root.
        primary: The server of which this one is a standby, by streaming replication. Its name there is ``standby``.
    """

    def __init__(self, programs: Path, folder: Path, account: str | None, primary: "OwnServer | None" = None) -> None:
        self.port = free_port()
        self._programs = programs
        self._folder = folder
        self._account = account
        ids = (f"--reuid={account}", f"--regid={account}", "--init-groups")
        self._before = () if account is None else ("setpriv", *ids)
        if primary is not None:
            self._run(
                "pg_basebackup", f"--pgdata={folder / 'data'}", "--checkpoint=fast", "--no-sync", *_place(primary)
            )
            self.follow(primary)
            self.start()
            return
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", f"--pgdata={folder / 'data'}")
        self.start()
        self.execute("CREATE DATABASE test", "postgres")

    def follow(self, primary: "OwnServer") -> None:
        """Make it a standby of another server from its next start on."""
        data = self._folder / "data"
        source = f"host={HOST} port={primary.port} user=postgres application_name=standby"
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{source}'\nsynchronous_standby_names = ''\n")
        (data / "standby.signal").touch()

    def promote(self) -> None:
        """Make the standby a primary, as a failover does."""
        self._pg_ctl("promote", "-w", "-t", str(_SECONDS))

    def configure(self, **settings: str) -> None:
        """Change settings of the server, which need no restart."""
        for name, value in settings.items():
            self.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.execute("SELECT pg_reload_conf()")

    def execute(self, statement: str, database: str = "test") -> list[tuple[Any, ...]]:
        """Run a statement as the administrator and return its rows."""
        with psycopg.connect(dsn(database, self.port), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

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

    @property
    def pid(self) -> int:
        """Pid of its first process, the parent of those of its sessions."""
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    def end(self) -> None:
        """Stop it at once if it runs."""
        if (self._folder / "data" / "postmaster.pid").exists():
            self.crash()

    def folder_in(self, place: Path) -> Path:
        """Make an empty folder there that belongs to the account of the server."""
        made = Path(tempfile.mkdtemp(prefix="tablespace-", dir=place))
        if self._account is not None:
            shutil.chown(made, self._account, self._account)
        return made

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        self._run("pg_ctl", action, f"--pgdata={self._folder / 'data'}", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._before, str(self._programs / program), *arguments]
        # A server that inherited a pipe would keep the reader of the pipe waiting for ever.
        subprocess.run(command, check=True, timeout=2 * _SECONDS, cwd=self._folder, stdout=subprocess.DEVNULL)


@contextmanager
def own_server(place: Path | None = None, primary: OwnServer | None = None) -> Iterator[OwnServer | None]:
    """Yield a server of its own; None if its programs are not installed.

    Args:
        place: Where its folder is made; without it among the temporary files.
        primary: The server of which it is a standby.
    """
    programs = server_programs()
    if programs is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="chaos-postgresql-", dir=place))
    account = "postgres" if os.geteuid() == 0 else None
    if account is not None:
        shutil.chown(folder, account, account)
    server: OwnServer | None = None
    try:
        server = OwnServer(programs, folder, account, primary)
        yield server
    finally:
        if server is not None:
            server.end()
        shutil.rmtree(folder, ignore_errors=True)


def _place(server: OwnServer) -> tuple[str, ...]:
    return (f"--host={HOST}", f"--port={server.port}", "--username=postgres")


def server_programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``, of Debian's newest version or else in PATH; None if there is none."""
    places = sorted(_DEBIAN.glob("*/bin"), key=lambda place: int(place.parent.name), reverse=True)
    if found := shutil.which("initdb"):
        places.append(Path(found).parent)
    return next((place for place in places if (place / "initdb").exists()), None)
