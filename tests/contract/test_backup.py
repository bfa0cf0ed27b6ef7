"""A copy of a database that is in use is whole or not there; on a real disk, beside a process that writes."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import make_url

from genesys_gateway.commands.cli import main
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage import Storage, sqlite_file
from genesys_gateway.storage.backup import BackupFailed, BackupRefused, copy
from genesys_gateway.storage.migrate import HEAD, migrate
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import accounting
from tests.contract.processes import python
from tests.doubles import past
from tests.doubles import stored_rows as stored
from tests.doubles.stored_rows import NOW
from tests.harness import first_release
from tests.harness.waiting import until

#: A gateway's commits: 50 a second, a registration and its conversation in each.
WRITE = """
import sqlite3, sys, time, uuid
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
c.execute("PRAGMA synchronous = FULL")
ready = False
while True:
    one = str(uuid.uuid4())
    c.execute("BEGIN IMMEDIATE")
    c.execute("INSERT INTO registration VALUES (?, 1)", [one])
    c.execute("INSERT INTO conversation (id, state, created_at, deadline_at) VALUES (?, 'pending', 1, 1)", [one])
    c.execute("COMMIT")
    if not ready:
        print("ready", flush=True)
    ready = True
    time.sleep(0.02)
"""


@pytest.fixture
def database(sqlite_url: str) -> Path:
    """A database of some megabytes with 5,000 closed conversations."""
    with OperatorSession(sqlite_url, SystemClock()) as session:
        session.write(lambda c: past.put_past(c, 5000, now=NOW))
    path = sqlite_file.path_of(make_url(sqlite_url))
    assert path is not None
    return path


@contextmanager
def writer(database: Path) -> Iterator[None]:
    with python(WRITE, str(database)) as process:
        try:
            yield
        finally:
            process.kill()


def left_in(folder: Path, database: Path) -> set[str]:
    """Names of files that do not belong to the database."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(database.name)}


def test_a_copy_beside_a_writer_is_whole_and_of_one_moment(database: Path, tmp_path: Path) -> None:
    with writer(database):
        time.sleep(0.3)
        begun = time.monotonic()
        made = copy(database, tmp_path / "copy", 5.0)
        took = time.monotonic() - begun

    assert took < 10, "it did not begin anew with each commit"
    assert made.balance is not None
    assert made.bytes == (tmp_path / "copy").stat().st_size
    assert made.balance.closed == 5000
    assert made.balance.accepted == made.balance.closed + made.balance.followed > 5000
    assert made.balance.unaccounted == 0
    assert left_in(tmp_path, database) == {"copy"}


def test_only_its_owner_may_read_a_copy(database: Path, tmp_path: Path) -> None:
    copy(database, tmp_path / "copy", 5.0)

    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600


def test_a_copy_can_be_used_as_the_database(database: Path, tmp_path: Path) -> None:
    made = copy(database, tmp_path / "copy", 5.0)

    storage = Storage(f"sqlite:///{tmp_path / 'copy'}", SystemClock())
    storage.open()
    storage.run(stored.register)
    balance = storage.run(accounting.balance)
    storage.close()
    assert made.balance is not None
    assert (balance.accepted, balance.unaccounted) == (made.balance.accepted + 1, 0)


def test_the_database_and_what_is_beside_it_stay_as_they_are(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT count(*) FROM transition").fetchone()
        copy(database, tmp_path / "copy", 5.0)
        assert connection.execute("SELECT count(*) FROM transition").fetchone() == rows
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link", "the database itself"])
def test_what_is_there_already_is_refused_and_kept(database: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "copy"
    match kind:
        case "file":
            target.write_text("the copy of yesterday")
        case "folder":
            target.mkdir()
        case "dangling link":
            target.symlink_to(tmp_path / "nowhere")
        case _:
            target = database
    size = target.lstat().st_size

    with pytest.raises(BackupRefused, match="exists already"):
        copy(database, target, 5.0)

    assert target.lstat().st_size == size
    assert left_in(tmp_path, database) <= {"copy"}


#: A process whose files may not grow beyond a megabyte, as on a disk that is full then.
ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from genesys_gateway.storage.backup import BackupFailed, copy
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    copy(Path(sys.argv[1]), Path(sys.argv[2]), 5.0)
except BackupFailed as error:
    print(error, flush=True)  # otherwise it says nothing, and the test fails
sys.stdin.read()
"""


def test_a_full_disk_leaves_nothing(database: Path, tmp_path: Path) -> None:
    with python(ON_A_FULL_DISK, str(database), str(tmp_path / "copy")):
        pass  # it has said why, and ended

    assert left_in(tmp_path, database) == set()


def test_a_folder_that_is_missing_is_named(database: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="can't be made: No such file"):
        copy(database, tmp_path / "nowhere" / "copy", 5.0)


def test_a_damaged_database_makes_no_copy(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.open("r+b") as file:
        file.seek(200_000)
        file.write(b"\xff" * 40_000)

    with pytest.raises(BackupFailed):
        copy(database, tmp_path / "copy", 5.0)

    assert left_in(tmp_path, database) == set()


def type_backup(url: str, *words: str) -> Result:
    return CliRunner().invoke(main, ["backup", *words], env={"DATABASE_URL": url})


def test_the_command_tells_what_it_has_copied(sqlite_url: str, database: Path, tmp_path: Path) -> None:
    told = type_backup(sqlite_url, str(tmp_path / "copy"))
    shown = type_backup(sqlite_url, str(tmp_path / "other"), "--json")

    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout.startswith("Copied: 5000 conversations, 0 of them followed; ")
    size = (tmp_path / "other").stat().st_size
    file = str(tmp_path / "other")
    counts = {"accepted": 5000, "followed": 0, "closed": 5000}
    assert json.loads(shown.stdout) == {"file": file, "bytes": size, "revision": HEAD, **counts}


def test_the_command_refuses_with_2_and_fails_with_1(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "copy").touch()

    assert type_backup(sqlite_url, str(tmp_path / "copy")).exit_code == 2
    assert type_backup(sqlite_url, str(tmp_path / "nowhere" / "copy")).exit_code == 1
    assert type_backup(f"sqlite:///{tmp_path}/none.db", str(tmp_path / "new")).exit_code == 2
    assert not (tmp_path / "new").exists()


def test_a_database_of_another_version_is_copied_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    first_release.load(url)

    told = type_backup(url, str(tmp_path / "copy"))
    shown = type_backup(url, str(tmp_path / "other"), "--json")

    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout.startswith("Copied: tables of revision 0004, which are those of another version; ")
    assert json.loads(shown.stdout)["revision"] == "0004"
    assert migrate(f"sqlite:///{tmp_path}/copy") is True
    assert migrate(url) is True, "the copying changed no tables"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_leaves_nothing(sqlite_url: str, tmp_path: Path, number: signal.Signals) -> None:
    with OperatorSession(sqlite_url, SystemClock()) as session:
        session.write(lambda c: past.put_past(c, 20_000, now=NOW))
    kept = {path.name for path in tmp_path.iterdir()}
    command = [sys.executable, "-m", "genesys_gateway", "backup", str(tmp_path / "copy")]
    process = subprocess.Popen(command, env=os.environ | {"DATABASE_URL": sqlite_url}, stderr=subprocess.PIPE)
    until(lambda: list(tmp_path.glob(".copy.*")), 20)

    process.send_signal(number)

    _, told = process.communicate(timeout=30)
    assert process.returncode == 1, told
    assert {path.name for path in tmp_path.iterdir()} <= kept | {"gateway.db-wal", "gateway.db-shm"}


def test_a_database_of_postgresql_is_left_to_its_own_tools(postgres_url: str, tmp_path: Path) -> None:
    told = type_backup(postgres_url, str(tmp_path / "copy"))

    assert (told.exit_code, told.stdout) == (2, "")
    assert "pg_dump" in told.stderr
    assert not (tmp_path / "copy").exists()
