"""``backup``: copies a SQLite database into a new file while the gateway runs.

Invariant: the file is whole, checked and on disk, or it is not there.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genesys_gateway.commands.output import DONE, NOT_DONE, UNUSABLE, counted, print_error, print_json, print_lines
from genesys_gateway.storage.backup import Backup, BackupFailed, BackupRefused, copy
from genesys_gateway.storage.operator_session import OperatorSession

#: How long to wait for the lock of another process, in seconds; the gateway holds none that hinders a reader.
_BUSY_SECONDS = 15.0


def backup(session: OperatorSession, file: Path, *, as_json: bool) -> int:
    """Copy the database of the session into ``file``.

    Returns:
        0; 1 if no copy could be made; 2 if there is such a file already, or the database is one of PostgreSQL.
    """
    if session.file is None:
        return print_error("This is a database of PostgreSQL: use pg_dump, or the backup of its server.", code=UNUSABLE)
    try:
        with _ended_as_by_ctrl_c():
            made = copy(session.file, file, _BUSY_SECONDS)
    except BackupRefused as error:
        return print_error(str(error), code=UNUSABLE)
    except BackupFailed as error:
        return print_error(str(error), code=NOT_DONE)
    if as_json:
        print_json({"file": str(file), "bytes": made.bytes, "revision": made.revision, **_counts(made)})
    else:
        print_lines(f"Copied: {_contents(made)}; {made.bytes:,} bytes in {file}.")
    return DONE


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Let the other signals that end a command remove what was copied so far, too; nohup's stays ignored."""
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    caught = [one for one, handler in before.items() if handler is signal.SIG_DFL]
    for one in caught:
        signal.signal(one, signal.default_int_handler)
    try:
        yield
    finally:
        for one in caught:
            signal.signal(one, signal.SIG_DFL)


def _counts(made: Backup) -> dict[str, int | None]:
    if made.balance is None:
        return dict.fromkeys(("accepted", "followed", "closed"))
    return {"accepted": made.balance.accepted, "followed": made.balance.followed, "closed": made.balance.closed}


def _contents(made: Backup) -> str:
    if made.balance is None:
        return f"tables of revision {made.revision}, which are those of another version"
    return f"{counted(made.balance.accepted, 'conversation')}, {made.balance.followed} of them followed"
