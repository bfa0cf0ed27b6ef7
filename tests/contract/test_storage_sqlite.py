"""SQLite only: groups of jobs, and a file that is locked, full, read-only, missing or replaced, then works again."""

import gc
import os
import resource
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

import gevent
import pytest
import structlog.testing
from gevent import monkey, subprocess
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import OperationalError

from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.storage import Storage, sqlite_file
from genesys_gateway.storage.sqlite import Outcome, SqliteDatabase
from genesys_gateway.storage.tables import quarantine, registration
from tests.contract.processes import python
from tests.contract.test_storage_engine import accept, accepted
from tests.doubles.runtime import FakeClock, until

HOLD_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""

#: An event that blocks the storage thread. That is a native thread, so gevent's patched event would not block it.
NativeEvent = monkey.get_original("threading", "Event")


@pytest.fixture
def path(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
def storage(sqlite_url: str, clock: FakeClock) -> Iterator[Storage]:
    """A storage on a file, with little patience."""
    storage = Storage(sqlite_url, clock, patience_seconds=0.5)
    storage.open()
    yield storage
    storage.close()


def read_from_outside(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT conversation_id FROM registration").fetchall()
    connection.close()
    return {row[0] for row in rows}


def kinds(outcomes: list[Outcome]) -> list[str]:
    return [type(outcome).__name__ for outcome in outcomes]


def fill(size: int) -> Callable[[Connection], None]:
    """A job that writes a row of about ``size`` bytes."""
    row = quarantine.insert().values(at=1, reason="test", frame="x" * size)
    return lambda connection: connection.execute(row).close()


@contextmanager
def held(storage: Storage) -> Iterator["gevent.Greenlet[..., object]"]:
    """Keep the storage thread busy with a job that writes ``held``; yield the greenlet that waits for the job."""
    begun, release = NativeEvent(), NativeEvent()

    def hold(connection: Connection) -> None:
        accept("held")(connection)
        begun.set()
        release.wait(10)

    holder: gevent.Greenlet[..., object] = gevent.Greenlet(storage.run, hold)
    holder.start()
    until(begun.is_set)
    try:
        yield holder
    finally:
        release.set()


def test_what_waits_while_the_disk_is_busy_shares_one_commit(storage: Storage) -> None:
    with held(storage):
        transactions = [gevent.spawn(storage.run, lambda connection: id(connection.get_transaction())) for _ in "abcde"]
        gevent.sleep(0)
    gevent.joinall(transactions, raise_error=True)

    assert len({job.value for job in transactions}) == 1


def accept_many(name: str) -> Callable[[Connection], None]:
    """A job that writes so much that a checkpoint is due, but less than what SQLite makes one for by itself."""
    rows = [{"conversation_id": f"{name}-{number}", "accepted_at": 1} for number in range(1000)]
    return lambda connection: connection.execute(registration.insert(), rows).close()


def test_a_checkpoint_writes_the_file_after_the_commit(storage: Storage, path: Path) -> None:
    before = path.stat().st_mtime_ns
    storage.run(accept("a"))
    assert path.stat().st_mtime_ns == before

    storage.run(accept_many("b"))

    until(lambda: path.stat().st_mtime_ns > before)


def test_a_checkpoint_that_fails_is_logged_and_made_later(storage: Storage, path: Path) -> None:
    before = path.stat().st_mtime_ns
    with structlog.testing.capture_logs() as lines, no_more_files():
        storage.run(accept_many("a"))
        until(lambda: lines)

    assert [line["event"] for line in lines] == ["checkpoint_failed"]
    assert path.stat().st_mtime_ns == before
    storage.run(accept_many("b"))
    until(lambda: path.stat().st_mtime_ns > before)
    assert len(storage.run(accepted)) == 2000


@contextmanager
def no_more_files() -> Iterator[None]:
    """Have this process open no further file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_job_runs_in_the_thread_of_the_hub(storage: Storage) -> None:
    assert storage.run(lambda _: threading.get_native_id()) != threading.get_native_id()


def test_when_run_returns_the_row_can_be_read_from_outside(storage: Storage, path: Path) -> None:
    storage.run(accept("a"))

    assert read_from_outside(path) == {"a"}


def test_a_group_keeps_all_but_the_job_that_failed(path: Path, clock: FakeClock) -> None:
    def broken(connection: Connection) -> None:
        accept("half done")(connection)
        raise LookupError

    database = SqliteDatabase(make_url(f"sqlite:///{path}"), clock, busy_seconds=0.1)

    outcomes = database.commit([accept("a"), broken, accept("b"), accept("a")])

    assert kinds(outcomes) == ["Done", "Failed", "Done", "Failed"]
    assert read_from_outside(path) == {"a", "b"}
    database.close()


def test_a_mistake_in_a_statement_is_its_jobs_own(storage: Storage) -> None:
    with pytest.raises(OperationalError, match="no such table"):
        storage.run(lambda connection: connection.exec_driver_sql("SELECT * FROM nowhere"))


def test_a_group_is_lost_together_when_the_database_refuses(path: Path, clock: FakeClock) -> None:
    def become_read_only(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")

    database = SqliteDatabase(make_url(f"sqlite:///{path}"), clock, busy_seconds=0.1)

    outcomes = database.commit([accept("a"), become_read_only, accept("b"), accept("c")])

    assert kinds(outcomes) == ["Lost"] * 4
    assert read_from_outside(path) == set()
    # The connection that could not write was closed, so the next group has a new one.
    assert kinds(database.commit([accept("d")])) == ["Done"]
    database.close()


def test_a_job_that_hides_the_end_of_its_transaction_promises_nothing(path: Path, clock: FakeClock) -> None:
    def end_it_and_go_on(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")

    database = SqliteDatabase(make_url(f"sqlite:///{path}"), clock, busy_seconds=0.1)

    outcomes = database.commit([accept("a"), end_it_and_go_on, accept("b")])

    assert kinds(outcomes) == ["Lost"] * 3
    assert read_from_outside(path) == set()
    database.close()


def test_another_process_holding_the_lock_makes_it_unavailable_until_it_lets_go(storage: Storage, path: Path) -> None:
    with python(HOLD_THE_LOCK, str(path)):
        with pytest.raises(StorageUnavailable):
            storage.run(accept("a"))
        with pytest.raises(StorageUnavailable):
            storage.open()

    storage.run(accept("b"))
    assert storage.run(accepted) == {"b"}


def test_a_full_database_makes_it_unavailable_until_there_is_space(storage: Storage) -> None:
    storage.run(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1").close())

    with pytest.raises(StorageUnavailable) as refused:
        storage.run(fill(100_000))

    assert "full" in str(refused.value.__cause__)
    storage.run(fill(100_000))


def test_a_write_that_fails_makes_it_unavailable_until_writes_succeed(storage: Storage, path: Path) -> None:
    storage.run(accept("a"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    written = path.with_name(f"{path.name}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (written, hard))
    try:
        with pytest.raises(StorageUnavailable):
            storage.run(fill(written))
        with pytest.raises(StorageUnavailable):
            storage.open()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    storage.run(accept("b"))
    assert storage.run(accepted) == {"a", "b"}


def test_a_full_disk_makes_it_unavailable_until_there_is_space(
    tmp_path: Path, migrated_file: Path, clock: FakeClock
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "gateway.db"
        shutil.copy(migrated_file, path)
        storage = Storage(f"sqlite:///{path}", clock, patience_seconds=0.5)
        storage.open()
        storage.run(accept("a"))
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(b"x" * 1024 * 1024)

        with pytest.raises(StorageUnavailable):
            storage.run(fill(100_000))

        filler.unlink()
        storage.run(fill(100_000))
        assert storage.run(accepted) == {"a"}
        storage.close()


def test_a_probe_leaves_no_file_and_fails_while_the_disk_is_full(
    tmp_path: Path, migrated_file: Path, clock: FakeClock
) -> None:
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        path = disk / "gateway.db"
        shutil.copy(migrated_file, path)
        storage = Storage(f"sqlite:///{path}", clock, patience_seconds=0.5)
        storage.open()
        storage.probe()
        assert {file.name for file in disk.iterdir()} == {"gateway.db", "gateway.db-wal", "gateway.db-shm"}

        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(b"x" * 4 * 1024 * 1024)
        with pytest.raises(StorageUnavailable):
            storage.probe()

        filler.unlink()
        storage.probe()
        storage.close()


@contextmanager
def small_disk(folder: Path, megabytes: int = 1) -> Iterator[Path]:
    """A file system of that size. The test is skipped where mounting is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk can't be mounted here; other tests use limits instead")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_nobody_waits_longer_than_the_patience_for_a_disk_that_hangs(storage: Storage) -> None:
    with held(storage) as holder:
        with gevent.Timeout(10), pytest.raises(StorageUnavailable):
            storage.run(accept("never begun"))
        holder.join(timeout=10)
        assert isinstance(holder.exception, StorageUnavailable)

    # A job that had begun may still be committed. A job that is no longer waited for is not begun.
    assert storage.run(accepted) == {"held"}


def test_a_job_whose_greenlet_was_stopped_is_not_begun(storage: Storage) -> None:
    with held(storage):
        stopped = gevent.spawn(storage.run, accept("unwanted"))
        gevent.sleep(0)
        stopped.kill()

    assert storage.run(accepted) == {"held"}


def test_jobs_that_no_greenlet_waits_for_are_dropped_while_the_disk_hangs(storage: Storage) -> None:
    jobs: WeakSet[Callable[[Connection], None]] = WeakSet()

    def ask() -> None:
        job = accept("too late")
        jobs.add(job)
        with suppress(StorageUnavailable):
            storage.run(job)

    with held(storage):
        callers = [gevent.spawn(ask) for _ in range(400)]
        gevent.sleep(0)
        gevent.killall(callers[::3])
        gevent.joinall(callers)
        del callers
        gc.collect()

        assert not jobs


def test_closing_does_not_wait_for_ever_for_a_disk_that_hangs(sqlite_url: str, clock: FakeClock) -> None:
    storage = Storage(sqlite_url, clock, patience_seconds=0.1)
    storage.open()

    with held(storage), gevent.Timeout(10):
        storage.close()


def test_a_missing_file_is_not_made_but_used_when_it_appears(tmp_path: Path, migrated_file: Path) -> None:
    path = tmp_path / "gateway.db"
    storage = Storage(f"sqlite:///{path}", FakeClock())

    with pytest.raises(StorageUnavailable):
        storage.open()
    assert not path.exists()

    shutil.copy(migrated_file, path)
    storage.run(accept("a"))
    storage.close()


def test_a_file_that_was_replaced_is_opened_anew(storage: Storage, path: Path, migrated_file: Path) -> None:
    storage.run(accept("old"))

    for file in path.parent.glob(f"{path.name}*"):
        file.rename(file.with_name(f"moved-{file.name}"))
    shutil.copy(migrated_file, path)
    storage.run(accept("new"))

    assert read_from_outside(path) == {"new"}


def test_only_the_owner_can_read_the_files(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "var" / "gateway.db"

    sqlite_file.prepare(path)
    storage = Storage(f"sqlite:///{path}", clock)
    storage.open()

    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {"gateway.db": 0o600, "gateway.db-wal": 0o600, "gateway.db-shm": 0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    storage.close()


def test_rights_that_others_have_are_taken_away(path: Path) -> None:
    path.chmod(0o644)

    sqlite_file.prepare(path)

    assert path.stat().st_mode & 0o777 == 0o600


def test_commits_wait_for_the_disk(storage: Storage) -> None:
    pragmas = storage.run(
        lambda connection: [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        ]
    )

    assert pragmas == ["wal", 2]
