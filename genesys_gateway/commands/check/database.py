"""Checks the database: it can be written, has our tables and keeps commits; and whether a gateway runs on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, make_url, select, text

from genesys_gateway.commands.check.findings import Finding, good, skipped, wrong
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import GatewayError, PermanentFailure, StorageUnavailable
from genesys_gateway.settings import Settings
from genesys_gateway.storage import database_now, replication, sqlite_file
from genesys_gateway.storage.file_lock import FileLock
from genesys_gateway.storage.migrate import DatabaseTooOld, TablesMissing
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.portable import write_nothing
from genesys_gateway.storage.tables import instance

_MIGRATE = "python -m genesys_gateway migrate"
#: File systems in memory: they lose their files with the power.
_IN_MEMORY = {"tmpfs", "ramfs"}
#: Network file systems: they lack the shared memory and the locks that a write-ahead log needs.
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs"}


@dataclass(slots=True, kw_only=True)
class GatewayState:
    """Whether a gateway runs on the database; later checks depend on it."""

    #: None when that can't be determined
    runs: bool | None


def inspect(settings: Settings, clock: Clock, gateway: GatewayState) -> Iterator[Finding]:
    """Yield findings about the database; set ``gateway.runs``."""
    url = make_url(settings.database_url)
    path = sqlite_file.path_of(url) if url.get_backend_name() == "sqlite" else None
    # Set before anything can fail: a gateway of an older version may run on its older tables.
    gateway.runs = None if path is None else _is_locked(settings.database_url)
    if path is not None and not path.exists():
        yield wrong("database", f"there is no {path} yet", f"{_MIGRATE} makes it, and so does the gateway's start")
        return
    if path is not None:
        yield judge_disk(path.resolve(), Path("/proc/self/mounts"))
    try:
        with OperatorSession(settings.database_url, clock, patience_seconds=settings.http_timeout_seconds) as session:
            if path is None:
                gateway.runs = session.read(_has_live_instance)
            session.write(write_nothing)
            yield good("database", "has the tables of this version and can be written")
            if path is None:
                yield session.read(_judge_server)
                yield _judge_replication(session)
    except DatabaseTooOld as error:
        if path is None and isinstance(error, TablesMissing):
            gateway.runs = False
        yield wrong("database", str(error), f"{_MIGRATE} makes or changes them")
    except PermanentFailure as error:
        yield wrong("database", str(error), "use the version of the gateway that was used with it last, or a later one")
    except GatewayError as error:
        yield wrong("database", str(error), "check DATABASE_URL, the rights on it, that it runs, and its free space")
    yield _running(gateway)


def _running(gateway: GatewayState) -> Finding:
    if gateway.runs is None:
        return skipped("gateway", "it can't be determined whether one runs on this database")
    return good("gateway", "one runs on this database now" if gateway.runs else "none runs on this database now")


def judge_disk(path: Path, mounts: Path) -> Finding:
    """Check that the file system of ``path`` is durable; ``mounts`` is a table in the format of /proc/self/mounts."""
    kind = _file_system_of(path, mounts)
    if kind in _IN_MEMORY:
        return wrong("disk", f"{path} is in memory ({kind})", "put it on a disk: memory is lost with the power")
    if kind in _REMOTE:
        return wrong(
            "disk", f"{path} is on a network file system ({kind})", "put it on a local disk, or use PostgreSQL"
        )
    return (
        good("disk", f"{path} is on {kind}; each commit waits for it") if kind else skipped("disk", "of unknown kind")
    )


def _file_system_of(path: Path, mounts: Path) -> str | None:
    """The type of the file system that holds the path; None if the table can't be read or does not list it."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    found = [(Path(parts[1]), parts[2]) for parts in map(str.split, lines) if len(parts) > 2]
    holding = [(place, kind) for place, kind in found if path.is_relative_to(place)]
    # The deepest mount point counts; of two mounts on one point, the later hides the earlier.
    return max(enumerate(holding), key=lambda one: (len(one[1][0].parts), one[0]))[1][1] if holding else None


def _judge_server(connection: Connection) -> Finding:
    query = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), pg_is_in_recovery()"
    fsync, commit, standby = connection.execute(text(query)).one()
    if "off" in (fsync, commit):
        return wrong("disk", f"fsync is {fsync}, synchronous_commit {commit}", "turn both on: else commits may be lost")
    if standby:
        return wrong("disk", "the server is a standby", "let DATABASE_URL name the primary")
    return good("disk", f"fsync is {fsync}, synchronous_commit {commit}")


def _judge_replication(session: OperatorSession) -> Finding:
    try:
        found = session.read(replication.read)
    except StorageUnavailable:
        return skipped("replication", "the server does not tell how it replicates")
    if weakness := found.weakness():
        return skipped(
            "replication",
            f"{found.standbys} connected, but {weakness}: a failover loses the registrations of the last moments",
            "see docs/postgresql.md#synchronous-replication-and-what-is-lost-without",
        )
    if not found.standbys:
        return good("replication", "no standby is connected")
    return good("replication", f"{found.standbys} connected; each commit waits for {found.synchronous_standby_names}")


def _is_locked(database_url: str) -> bool | None:
    """Whether a process holds the lock beside the file; None when the lock can't be read."""
    lock = FileLock.beside(database_url)
    try:
        return lock is not None and lock.is_taken()
    except OSError:
        return None


def _has_live_instance(connection: Connection) -> bool:
    live = select(instance.c.id).where(instance.c.lease_until > database_now(connection))
    return connection.execute(live).first() is not None
