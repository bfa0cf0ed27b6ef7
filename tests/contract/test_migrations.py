"""Migrations create the tables that the statements are written for, on either database."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect, make_url, text

from genesys_gateway import storage
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.errors import StorageUnavailable, UnsafeDatabase
from genesys_gateway.storage import Storage
from genesys_gateway.storage.migrate import HEAD, OLDEST, DatabaseTooNew, migrate
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import accounting, intake, outbox
from genesys_gateway.storage.statements.intake import IntakeResult
from genesys_gateway.storage.tables import metadata, registration
from genesys_gateway.storage.triggers import create_tables
from tests.contract.conftest import new_postgres_database
from tests.contract.processes import python
from tests.doubles import stored_rows as stored

MIGRATE = """
import sys
from genesys_gateway.storage.migrate import migrate
print("ready", flush=True)
sys.stdin.readline()
print(migrate(sys.argv[1]), "alembic" in sys.modules)
"""


#: The locks of a migration.
LOCK = {"sqlite": "BEGIN EXCLUSIVE", "postgresql": "SELECT pg_advisory_xact_lock(6144207370317563113)"}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gateway.db"
    return str(request.getfixturevalue("empty_postgres_url"))


@pytest.fixture
def created_url(empty_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A second database of the same kind, whose tables SQLAlchemy created from the metadata."""
    if empty_url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path}/created.db"
        create(url)
        yield url
        return
    with new_postgres_database(request.getfixturevalue("postgres_server")) as url:
        create(url)
        yield url


def engine_of(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool)


def create(url: str) -> None:
    with engine_of(url).begin() as connection:
        create_tables(connection)


def structure(url: str) -> dict[str, Any]:
    """The structure of all tables, as the database reports it, except that of Alembic."""
    with engine_of(url).connect() as connection:
        inspector = inspect(connection)
        names = set(inspector.get_table_names()) - {"alembic_version"}
        return {
            name: table_structure(connection, name)
            | {"triggers": triggers(connection, name), "indexes": indexes(connection, name)}
            for name in names
        }


def triggers(connection: Connection, table: str) -> list[Any]:
    """The triggers of a table, as the statements or functions that they run."""
    query = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name ORDER BY name",
        "postgresql": "SELECT pg_get_triggerdef(t.oid), p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
        " WHERE t.tgrelid = CAST(:name AS regclass) AND NOT tgisinternal ORDER BY tgname",
    }
    found = connection.execute(text(query[connection.dialect.name]), {"name": table})
    return [tuple(row) for row in found]


def indexes(connection: Connection, table: str) -> list[Any]:
    """The indexes of a table, as the statements that create them: SQLAlchemy reads no index of an expression."""
    query = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :name AND sql <> '' ORDER BY name",
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE tablename = :name ORDER BY indexname",
    }
    found = connection.execute(text(query[connection.dialect.name]), {"name": table})
    return [tuple(row) for row in found]


def table_structure(connection: Connection, table: str) -> dict[str, Any]:
    inspector = inspect(connection)
    return {
        "columns": {column["name"]: {**column, "type": str(column["type"])} for column in inspector.get_columns(table)},
        "key": inspector.get_pk_constraint(table),
        "foreign keys": sorted(map(repr, inspector.get_foreign_keys(table))),
        "unique": sorted(map(repr, inspector.get_unique_constraints(table))),
        "checks": sorted(map(repr, inspector.get_check_constraints(table))),
    }


def set_version(url: str, version: str) -> None:
    with engine_of(url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")  # indexes are compared as statements
def test_migrated_tables_equal_those_of_the_metadata(empty_url: str, created_url: str) -> None:
    migrate(empty_url)

    migrated = structure(empty_url)

    assert migrated == structure(created_url)
    assert set(migrated) == set(metadata.tables)


def upgrade_to(url: str, revision: str) -> None:
    """Give the database the tables of an earlier release."""
    config = Config()
    config.set_main_option("script_location", str(Path(storage.__file__).with_name("migrations")))
    with engine_of(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_assertions_of_an_earlier_release_were_sent_and_not_refused(empty_url: str) -> None:
    upgrade_to(empty_url, "0005")
    with engine_of(empty_url).begin() as connection:
        connection.execute(text("INSERT INTO used_assertion (digest, used_at) VALUES ('a', 1)"))

    migrate(empty_url)

    with engine_of(empty_url).begin() as connection:
        assert connection.execute(text("SELECT fate FROM used_assertion")).scalars().all() == ["granted"]


def test_a_second_migration_finds_nothing_to_do(empty_url: str) -> None:
    assert migrate(empty_url) is True

    assert migrate(empty_url) is False


def test_a_database_from_a_newer_version_is_left_alone(empty_url: str) -> None:
    migrate(empty_url)
    set_version(empty_url, "9999")

    with pytest.raises(DatabaseTooNew, match="9999"):
        migrate(empty_url)


def later_tables(url: str, note: str) -> None:
    """Make the tables those of a later release, with what that has noted."""
    with engine_of(url).begin() as connection:
        connection.execute(text("ALTER TABLE conversation ADD COLUMN novelty INTEGER DEFAULT 0 NOT NULL"))
        connection.execute(text("UPDATE alembic_version SET version_num = '9999', usable = :note"), {"note": note})


def test_the_release_before_may_go_on_with_the_tables_of_the_release_after(empty_url: str) -> None:
    migrate(empty_url)
    later_tables(empty_url, f"9999 from {HEAD}")

    assert migrate(empty_url) is False

    opened = Storage(empty_url, SystemClock())
    opened.open()
    opened.run(stored.register)
    balance = opened.run(accounting.balance)
    opened.close()
    assert (balance.accepted, balance.unaccounted) == (1, 0)
    with OperatorSession(empty_url, SystemClock()) as session:
        assert session.read(accounting.balance) == balance


@pytest.mark.parametrize("note", [f"9999 from {int(HEAD) + 1:04}", f"9998 from {HEAD}", "9999", ""])
def test_later_tables_that_do_not_name_this_release_are_left_alone(empty_url: str, note: str) -> None:
    migrate(empty_url)
    later_tables(empty_url, note)

    with pytest.raises(DatabaseTooNew, match=HEAD):
        migrate(empty_url)


@pytest.mark.parametrize("before", [None, "0001", OLDEST])
def test_a_migration_notes_the_oldest_version_that_may_use_the_tables(empty_url: str, before: str | None) -> None:
    if before is not None:
        upgrade_to(empty_url, before)

    migrate(empty_url)

    with engine_of(empty_url).begin() as connection:
        notes = connection.execute(text("SELECT usable FROM alembic_version")).scalars().all()
    assert notes == [f"{HEAD} from {OLDEST}"]


def test_the_question_whether_there_is_something_to_do_needs_no_alembic(database_url: str) -> None:
    with python(MIGRATE, database_url) as process:
        answer, _ = process.communicate(b"\n", timeout=10)

    assert answer == b"False False\n"


def test_of_several_that_start_at_once_one_migrates_and_the_others_find_it_done(empty_url: str) -> None:
    with python(MIGRATE, empty_url) as one, python(MIGRATE, empty_url) as two, python(MIGRATE, empty_url) as three:
        all_at_once = [gevent.spawn(process.communicate, b"\n", timeout=20) for process in (one, two, three)]
        gevent.joinall(all_at_once, raise_error=True)

    answers = [str(greenlet.value) for greenlet in all_at_once]
    assert sorted(answer.count("True True") for answer in answers) == [0, 0, 1]


def test_a_migration_that_breaks_off_leaves_nothing(empty_url: str) -> None:
    with engine_of(empty_url).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE quarantine (in_the_way integer)")

    with pytest.raises(StorageUnavailable, match="quarantine"):
        migrate(empty_url)

    assert set(structure(empty_url)) == {"quarantine"}
    with engine_of(empty_url).begin() as connection:
        connection.exec_driver_sql("DROP TABLE quarantine")
    assert migrate(empty_url) is True


def test_revisions_are_numbered_in_their_order() -> None:
    folder = Path(storage.__file__).with_name("migrations")
    config = Config()
    config.set_main_option("script_location", str(folder))

    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]

    assert revisions[0] == HEAD
    recorded = [path.stem.removeprefix("release_") for path in Path(__file__).parent.glob("release_*.json")]
    before = max(revision for revision in recorded if revision < HEAD)
    assert OLDEST in (HEAD, before), "the release before is tried, and no other one"
    assert revisions == sorted(revisions, reverse=True)
    assert all(len(revision) == 4 and revision.isdigit() for revision in revisions)


def test_an_unreachable_server_is_unavailable() -> None:
    with pytest.raises(StorageUnavailable):
        migrate("postgresql+psycopg://postgres@127.0.0.1:1/test")


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.write_bytes(b"somebody's letter" * 100)

    with pytest.raises(StorageUnavailable):
        migrate(f"sqlite:///{path}")

    assert path.read_bytes() == b"somebody's letter" * 100


def test_a_server_that_can_lose_commits_is_refused(empty_postgres_url: str, postgres_server: Engine) -> None:
    name = make_url(empty_postgres_url).database
    with postgres_server.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")

    with pytest.raises(UnsafeDatabase):
        migrate(empty_postgres_url)


def test_the_lock_of_another_migration_is_waited_for_no_longer_than_asked(empty_url: str) -> None:
    with engine_of(empty_url).connect() as other:
        other.exec_driver_sql(LOCK[other.dialect.name])

        begun = time.perf_counter()
        with pytest.raises(StorageUnavailable):
            migrate(empty_url, seconds=0.3)
        took = time.perf_counter() - begun

    assert took < 3
    assert migrate(empty_url) is True


def test_memory_is_left_to_the_storage_that_opens_it() -> None:
    assert migrate("sqlite://") is False


def test_the_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "var" / "gateway.db"

    migrate(f"sqlite:///{path}")

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_to_do_takes_no_longer_than_a_query(sqlite_url: str) -> None:
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        migrate(sqlite_url)
        took.append(time.perf_counter() - begun)

    assert min(took) < 0.1


def test_a_migration_waits_for_another_process_that_writes(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    url = f"sqlite:///{path}"
    sqlite3.connect(path).close()
    hold = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        " c.execute('PRAGMA journal_mode=WAL'); c.execute('BEGIN IMMEDIATE'); print('locked', flush=True);"
        " time.sleep(0.3)"
    )
    with python(hold, str(path)):
        assert migrate(url) is True


def test_rows_from_before_the_triggers_are_counted(empty_url: str) -> None:
    with engine_of(empty_url).begin() as connection:
        upgrade(connection, "0004")
        stored.put_conversations(connection, stored.conversation_row("c-1"), stored.open_row("c-2"))
        stored.put(connection, registration, *({"conversation_id": f"c-{n}", "accepted_at": 0} for n in (1, 2, 3)))
        stored.put_entries(
            connection,
            stored.entry_row("r-1", "c-1"),
            stored.pending_row("r-2", "c-1"),
            stored.dead_row("r-3", "c-1"),
            stored.dead_row("r-4", "c-1", erased_at=1),
        )

    migrate(empty_url)

    with engine_of(empty_url).begin() as connection:
        stored.put_conversations(connection, stored.conversation_row("c-4"))
        balance, backlog = accounting.balance(connection), outbox.backlog(connection, stored.NOW)
    assert (balance.accepted, balance.states, balance.unaccounted) == (3, {"closed": 2, "pending": 1}, 0)
    assert (backlog.pending, backlog.dead) == (1, 1)


def test_counterparts_from_before_their_table_are_known(empty_url: str) -> None:
    event = replace(stored.EVENT, conversation_id=stored.CONVERSATION)
    other = replace(event, session_id="s-3")
    with engine_of(empty_url).begin() as connection:
        upgrade(connection, "0004")
        stored.put_conversations(connection, stored.open_row(stored.CONVERSATION))
        of_result = {"source": "supportResult", "participant_id": None, "session_id": None}
        row = stored.pending_row("r-1", stored.CONVERSATION, twin_id=event.record_id, **of_result)
        stored.put_entries(connection, row)

    migrate(empty_url)

    with engine_of(empty_url).begin() as connection:
        for one, outcome in ((event, IntakeResult.DUPLICATE), (other, IntakeResult.STORED)):
            put = intake.put(connection, one, intake.BACKFILL, now=0, due_at=0, deadline_at=None)
            assert put is outcome


def upgrade(connection: Connection, revision: str) -> None:
    """Migrate an empty database to an older revision."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(storage.__file__).with_name("migrations")))
    command.upgrade(config, revision)
