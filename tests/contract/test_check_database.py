"""What ``check`` says of a database: on SQLite and PostgreSQL, and on disks that keep nothing."""

from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, make_url

from genesys_gateway.check import database
from genesys_gateway.check.findings import Finding, State
from genesys_gateway.clock import SystemClock
from genesys_gateway.storage import Storage, instances
from genesys_gateway.storage.lock import FileLock
from genesys_gateway.storage.migrate import migrate
from tests.genesys_doubles import settings


def inspected(url: str) -> tuple[dict[str, Finding], bool]:
    """Findings by area, and whether a gateway runs."""
    state = database.Seen(runs=False)
    made = settings(database_url=url, http_timeout_seconds=2.0)
    return {one.area: one for one in database.inspect(made, SystemClock(), state)}, state.runs


def crosses(found: dict[str, Finding]) -> dict[str, str]:
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
    told = crosses(inspected(empty_postgres_url)[0])

    assert list(told) == ["database"]
    assert "python -m genesys_gateway migrate" in told["database"]


def test_a_server_that_may_lose_commits_is_named(empty_postgres_url: str, postgres_server: Engine) -> None:
    migrate(empty_postgres_url)
    name = make_url(empty_postgres_url).database
    with postgres_server.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")

    told = crosses(inspected(empty_postgres_url)[0])

    assert list(told) == ["disk"]
    assert "synchronous_commit off" in told["disk"]


def test_a_server_that_is_not_there_is_named() -> None:
    told = crosses(inspected("postgresql+psycopg://nobody:canary-word@127.0.0.1:9/none")[0])

    assert list(told) == ["database"]
    assert "canary" not in told["database"]


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
