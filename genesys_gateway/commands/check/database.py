"""Can the database be written, has it our tables, does it keep what it confirms, and does a gateway run on it?"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, make_url, select, text

from genesys_gateway.commands.check.findings import Finding, good, skipped, wrong
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import GatewayError, PermanentFailure
from genesys_gateway.settings import Settings
from genesys_gateway.storage import database_now, sqlite_file
from genesys_gateway.storage.file_lock import FileLock
from genesys_gateway.storage.migrate import DatabaseTooOld, TablesMissing
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.portable import write_nothing
from genesys_gateway.storage.tables import instance

_MIGRATE = "python -m genesys_gateway migrate"
#: Gone when the machine is; or without the shared memory and locks that a write-ahead log needs.
_FLEETING = {"tmpfs", "ramfs"}
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs"}


@dataclass(slots=True, kw_only=True)
class Seen:
    """What others want to know."""

    #: a gateway runs on it now; None when it may, and nobody can tell
    runs: bool | None


def inspect(settings: Settings, clock: Clock, state: Seen) -> Iterator[Finding]:
    """Findings about the database; notes whether a gateway runs on it."""
    url = make_url(settings.database_url)
    path = sqlite_file.path_of(url) if url.get_backend_name() == "sqlite" else None
    # Known before anything can go wrong: on the tables of an older version a gateway may run all the same.
    state.runs = None if path is None else _held(settings.database_url)
    if path is not None and not path.exists():
        yield wrong("database", f"there is no {path} yet", f"{_MIGRATE} makes it, and so does the gateway's start")
        return
    if path is not None:
        yield judge_disk(path.resolve(), Path("/proc/self/mounts"))
    try:
        with OperatorSession(settings.database_url, clock, patience_seconds=settings.http_timeout_seconds) as session:
            if path is None:
                state.runs = session.read(_lives)
            session.write(write_nothing)
            yield good("database", "has the tables of this version and can be written")
            if path is None:
                yield session.read(_server)
    except DatabaseTooOld as error:
        if path is None and isinstance(error, TablesMissing):
            state.runs = False
        yield wrong("database", str(error), f"{_MIGRATE} makes or changes them")
    except PermanentFailure as error:
        yield wrong("database", str(error), "use the version of the gateway that was used with it last, or a later one")
    except GatewayError as error:
        yield wrong("database", str(error), "check DATABASE_URL, the rights on it, and that it runs and has room")
    yield _running(state)


def _running(state: Seen) -> Finding:
    if state.runs is None:
        return skipped("gateway", "whether one runs on this database can't be told")
    return good("gateway", "one runs on this database now" if state.runs else "none runs on this database now")


def judge_disk(path: Path, mounts: Path) -> Finding:
    """Whether that file is kept by something that keeps; ``mounts`` is a table as the kernel shows it."""
    kind = _kind_of_mount(path, mounts)
    if kind in _FLEETING:
        return wrong(
            "disk", f"{path} is in memory ({kind})", "put it on a disk: what is in memory is lost with the power"
        )
    if kind in _REMOTE:
        return wrong(
            "disk", f"{path} is on a network file system ({kind})", "put it on a local disk, or use PostgreSQL"
        )
    return (
        good("disk", f"{path} is on {kind}; each commit waits for it") if kind else skipped("disk", "of unknown kind")
    )


def _kind_of_mount(path: Path, mounts: Path) -> str | None:
    """The file system a path lies on, as far as this machine tells."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    found = [(Path(parts[1]), parts[2]) for parts in map(str.split, lines) if len(parts) > 2]
    holding = [(place, kind) for place, kind in found if path.is_relative_to(place)]
    # The deepest; of two on one place the later hides the earlier.
    return max(enumerate(holding), key=lambda one: (len(one[1][0].parts), one[0]))[1][1] if holding else None


def _server(connection: Connection) -> Finding:
    query = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), pg_is_in_recovery()"
    fsync, commit, standby = connection.execute(text(query)).one()
    if "off" in (fsync, commit):
        return wrong("disk", f"fsync is {fsync}, synchronous_commit {commit}", "turn both on: else commits may be lost")
    if standby:
        return wrong("disk", "the server is a standby", "let DATABASE_URL name the primary")
    return good("disk", f"fsync is {fsync}, synchronous_commit {commit}")


def _held(database_url: str) -> bool | None:
    """Whether a process has the lock of the file; None when that can't be looked at."""
    lock = FileLock.beside(database_url)
    try:
        return lock is not None and lock.is_taken()
    except OSError:
        return None


def _lives(connection: Connection) -> bool:
    living = select(instance.c.id).where(instance.c.lease_until > database_now(connection))
    return connection.execute(living).first() is not None
