"""``check`` of a database: SQLite and PostgreSQL, and disks that are not durable."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from genesys_gateway.commands.check import database
from genesys_gateway.commands.check.findings import Finding, State
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage import Storage
from genesys_gateway.storage.file_lock import FileLock
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.statements import instances
from tests.doubles.genesys import settings


def inspected(url: str) -> tuple[dict[str, Finding], bool | None]:
    """Findings by area, and whether a gateway runs."""
    gateway = database.GatewayState(runs=None)
    with_url = settings(database_url=url, http_timeout_seconds=0.5)
    return {one.area: one for one in database.inspect(with_url, SystemClock(), gateway)}, gateway.runs


def crosses(found: dict[str, Finding]) -> dict[str, str]:
    """Text and advice of each cross, by area."""
    return {area: f"{one.text} → {one.advice}" for area, one in found.items() if one.state is State.WRONG}


def test_a_migrated_sqlite_file_gets_ticks_only_and_nobody_seems_to_run(sqlite_url: str, tmp_path: Path) -> None:
    found, runs = inspected(sqlite_url)

    assert (crosses(found), runs) == ({}, False)
    assert not (tmp_path / "gateway.db.lock").exists()


def test_who_holds_the_lock_of_a_file_runs(sqlite_url: str) -> None:
    lock = FileLock.beside(sqlite_url)
    assert lock is not None
    assert lock.acquire()

    assert inspected(sqlite_url)[1]
    lock.release()
    assert not inspected(sqlite_url)[1]


def set_version(url: str, version: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    engine.dispose()


def lock_out(url: str) -> sqlite3.Connection:
    """Lock the file for writing until the returned connection is closed."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def make_older(url: str) -> None:
    set_version(url, "0001")


def make_newer(url: str) -> None:
    set_version(url, "9999")


@pytest.mark.parametrize("damage", [make_older, make_newer, lock_out])
def test_who_holds_the_lock_runs_also_on_a_database_with_a_cross(
    sqlite_url: str, damage: Callable[[str], object]
) -> None:
    lock = FileLock.beside(sqlite_url)
    assert lock is not None
    assert lock.acquire()
    damaged = damage(sqlite_url)

    found, runs = inspected(sqlite_url)

    assert (list(crosses(found)), runs) == (["database"], True)
    assert "one runs" in found["gateway"].text
    lock.release()
    if isinstance(damaged, sqlite3.Connection):
        damaged.close()


#: Writes a database of another application, and closes it or not.
WRITE_A_LETTER = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute(f"PRAGMA journal_mode = {sys.argv[2]}")
connection.execute("CREATE TABLE letter (text)")
connection.commit()
if sys.argv[3] == "closed":
    connection.close()
os._exit(0)
"""


@pytest.mark.parametrize("left", ["closed", "killed"])
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_the_file_of_another_application_is_left_byte_for_byte(tmp_path: Path, mode: str, left: str) -> None:
    path = tmp_path / "theirs.db"
    (tmp_path / "theirs.db.lock").touch(0o644)
    subprocess.run([sys.executable, "-c", WRITE_A_LETTER, str(path), mode, left], check=True)
    before = {one.name: (one.read_bytes(), one.stat().st_mode) for one in tmp_path.iterdir()}

    found, runs = inspected(f"sqlite:///{path}")

    after = {one.name: (one.read_bytes(), one.stat().st_mode) for one in tmp_path.iterdir()}
    assert sorted(after) == sorted(before)
    # Readers share the -shm file, which holds no data; the other files must not change.
    assert {name for name in after if after[name] != before[name]} <= {"theirs.db-shm"}
    assert "tables of the gateway are missing" in found["database"].text
    assert runs is False


def test_a_postgresql_database_gets_ticks_only_and_a_lease_tells_who_runs(postgres_url: str) -> None:
    storage = Storage(postgres_url, SystemClock())
    storage.open()
    assert (crosses(inspected(postgres_url)[0]), inspected(postgres_url)[1]) == ({}, False)

    name = str(uuid4())
    storage.run(lambda connection: instances.enter(connection, name, 60_000))

    assert inspected(postgres_url)[1]
    storage.run(lambda connection: instances.leave(connection, name))
    assert not inspected(postgres_url)[1]
    storage.close()


def test_a_postgresql_database_without_tables_is_named_with_what_makes_them(empty_postgres_url: str) -> None:
    found, runs = inspected(empty_postgres_url)

    wrong = crosses(found)
    assert list(wrong) == ["database"]
    assert "python -m genesys_gateway migrate" in wrong["database"]
    assert runs is False


def test_whether_one_runs_on_older_tables_of_a_server_is_not_known(empty_postgres_url: str) -> None:
    migrate(empty_postgres_url)
    set_version(empty_postgres_url, "0001")

    found, runs = inspected(empty_postgres_url)

    assert (list(crosses(found)), runs) == (["database"], None)
    assert found["gateway"].state is State.SKIPPED


def test_a_server_that_may_lose_commits_is_named(empty_postgres_url: str, postgres_server: Engine) -> None:
    migrate(empty_postgres_url)
    name = make_url(empty_postgres_url).database
    with postgres_server.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")

    wrong = crosses(inspected(empty_postgres_url)[0])

    assert list(wrong) == ["disk"]
    assert "synchronous_commit off" in wrong["disk"]


def test_a_server_that_takes_no_writes_is_named(empty_postgres_url: str, postgres_server: Engine) -> None:
    migrate(empty_postgres_url)
    name = make_url(empty_postgres_url).database
    with postgres_server.connect() as connection:
        # A hosted server sets this by itself when its disk is full.
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    wrong = crosses(inspected(empty_postgres_url)[0])

    assert list(wrong) == ["database"]
    assert "read-only" in wrong["database"]


def test_a_user_who_may_only_read_is_named(empty_postgres_url: str) -> None:
    migrate(empty_postgres_url)
    url = make_url(empty_postgres_url)
    reader = f"{url.database}_reader"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {reader} LOGIN")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}")
        try:
            wrong = crosses(inspected(url.set(username=reader).render_as_string(hide_password=False))[0])
        finally:
            connection.exec_driver_sql(f"DROP OWNED BY {reader}")
            connection.exec_driver_sql(f"DROP ROLE {reader}")
    engine.dispose()

    assert list(wrong) == ["database"]
    assert "permission denied" in wrong["database"]


def test_a_server_that_is_not_there_is_named() -> None:
    found, runs = inspected("postgresql+psycopg://nobody:canary-word@127.0.0.1:9/none")

    wrong = crosses(found)
    assert runs is None
    assert list(wrong) == ["database"]
    assert "canary" not in wrong["database"]


MOUNTS = """\
/dev/vda / ext4 rw 0 0
tmpfs /run tmpfs rw 0 0
server:/export /srv nfs4 rw 0 0
/dev/vdb /srv/local xfs rw 0 0
overlay /srv/local/c overlay rw 0 0
tmpfs /srv/local/c tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind", "word"),
    [
        ("/var/gateway.db", "ext4", None),
        ("/srv/local/gateway.db", "xfs", None),
        ("/run/gateway.db", "tmpfs", "in memory"),
        ("/srv/gateway.db", "nfs4", "network file system"),
        ("/srv/local/c/gateway.db", "tmpfs", "in memory"),
        ("/srvlocal/gateway.db", "ext4", None),
    ],
)
def test_a_file_on_something_that_keeps_nothing_is_named(
    tmp_path: Path, path: str, kind: str, word: str | None
) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)

    found = database.judge_disk(Path(path), tmp_path / "mounts")

    assert kind in found.text
    assert found.state is (State.GOOD if word is None else State.WRONG)
    assert word is None or word in found.text


def test_where_the_machine_does_not_tell_nothing_is_claimed(tmp_path: Path) -> None:
    assert database.judge_disk(Path("/var/gateway.db"), tmp_path / "none").state is State.SKIPPED
