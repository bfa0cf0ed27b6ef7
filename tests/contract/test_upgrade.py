"""An upgrade from the first release keeps everything: its data are in files that `first_release.py` has made."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, Table, func, insert, select

from genesys_gateway.domain.outbox import Delivered
from genesys_gateway.storage.migrate import HEAD, migrate
from genesys_gateway.storage.statements import accounting, claims, outbox
from genesys_gateway.storage.tables import conversation, entry, metadata, registration, tally
from tests.contract.conftest import new_postgres_database
from tests.contract.test_migrations import create, engine_of, structure, upgrade_to
from tests.doubles import stored_rows as stored
from tests.harness import first_release

# Indexes are compared as statements.
pytestmark = pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")

#: The revision of the tables that the first release had. Before it there was no release.
FIRST = "0004"
FOLDER = Path(migrate.__code__.co_filename).with_name("migrations")
REVISIONS = sorted(script.revision for script in ScriptDirectory(str(FOLDER)).walk_revisions())
#: After every date in the files.
LATER = 1_900_000_000_000
LEASE = 20_000


@pytest.fixture(params=["sqlite", "postgresql"])
def new_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two empty databases of the same kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/one.db", f"sqlite:///{tmp_path}/two.db"
        return
    server = request.getfixturevalue("postgres_server")
    with new_postgres_database(server) as one, new_postgres_database(server) as two:
        yield one, two


@pytest.fixture
def url(new_urls: tuple[str, str]) -> str:
    """The database of the first release, as that has left it."""
    first_release.load(new_urls[0])
    return new_urls[0]


def reflected(engine: Engine) -> dict[str, Table]:
    """The tables that are there."""
    found = MetaData()
    found.reflect(engine)
    return {name: table for name, table in found.tables.items() if name != "alembic_version"}


def rows(url: str, columns: dict[str, list[str]] | None = None) -> dict[str, Counter[tuple[Any, ...]]]:
    """All rows of all tables, of these columns only if they are given."""
    engine = engine_of(url)
    tables = reflected(engine)
    with engine.connect() as connection:
        return {
            name: Counter(tuple(row) for row in connection.execute(select(*(tables[name].c[one] for one in chosen))))
            for name, chosen in (columns or columns_of(url)).items()
        }


def columns_of(url: str) -> dict[str, list[str]]:
    return {name: table.c.keys() for name, table in reflected(engine_of(url)).items()}


def counted(connection: Connection) -> dict[str, int]:
    """What the triggers should have counted."""
    unerased = entry.c.erased_at.is_(None)
    queries = {
        "registrations": select(func.count()).select_from(registration),
        "conversations": select(func.count()).select_from(conversation),
        "pending": select(func.count()).select_from(entry).where(entry.c.state == "pending"),
        "dead": select(func.count()).select_from(entry).where(entry.c.state == "dead", unerased),
    }
    return {name: connection.scalar(query) or 0 for name, query in queries.items()}


def tallied(connection: Connection) -> dict[str, int]:
    """What the triggers have counted."""
    names = ("registrations", "conversations", "pending", "dead")
    return {name: int(connection.scalar(select(func.sum(tally.c[name]))) or 0) for name in names}


def holds(url: str, query: str) -> list[Any]:
    with engine_of(url).connect() as connection:
        return list(connection.exec_driver_sql(query).scalars())


def test_the_files_hold_every_kind_of_row(url: str) -> None:
    assert holds(url, "SELECT version_num FROM alembic_version") == [FIRST]
    assert set(holds(url, "SELECT state FROM conversation")) == {"pending", "subscribed", "closed"}
    outcomes = holds(url, "SELECT outcome FROM conversation WHERE outcome IS NOT NULL")
    assert set(outcomes) == {"logged", "no_acw", "unresolved"}
    assert set(holds(url, "SELECT state FROM entry")) == {"pending", "delivered", "dead"}
    assert set(holds(url, "SELECT source FROM entry")) == {"live", "backfill", "supportResult"}
    assert {0, 1} < set(holds(url, "SELECT attempt FROM entry WHERE state = 'pending'")), "waiting and retrying"
    for kind in ("amended", "in_doubt", "twin_id IS NOT NULL", "erased_at IS NOT NULL", "last_error IS NOT NULL"):
        assert holds(url, f"SELECT id FROM entry WHERE {kind}"), kind
    for kind in ("erased_at IS NOT NULL", "unknown_since IS NOT NULL", "in_doubt", "last_look_at IS NOT NULL"):
        assert holds(url, f"SELECT id FROM conversation WHERE {kind}"), kind
    assert holds(url, "SELECT seq FROM quarantine")
    assert holds(url, "SELECT digest FROM used_assertion")
    if url.startswith("postgresql"):
        assert holds(url, "SELECT id FROM entry WHERE claimed_by IS NOT NULL"), "it was killed while sending"


def test_the_tables_become_those_of_a_new_database(url: str, new_urls: tuple[str, str]) -> None:
    assert migrate(url) is True

    create(new_urls[1])
    assert structure(url) == structure(new_urls[1])
    assert set(structure(url)) == set(metadata.tables)


def test_no_revision_loses_or_changes_a_row(url: str) -> None:
    columns, before = columns_of(url), rows(url)

    for revision in REVISIONS[REVISIONS.index(FIRST) + 1 :]:
        upgrade_to(url, revision)
        assert rows(url, columns) == before, revision
        if revision >= "0005":
            with engine_of(url).connect() as connection:
                assert tallied(connection) == counted(connection), revision
    assert migrate(url) is False


def test_the_tables_before_the_first_release_lead_there_too(url: str, new_urls: tuple[str, str]) -> None:
    oldest = new_urls[1]
    upgrade_to(oldest, REVISIONS[0])
    columns = columns_of(oldest)
    before = rows(url, columns)
    engine = engine_of(oldest)
    with engine.begin() as connection:
        for name, table in reflected(engine).items():
            copied = [dict(zip(columns[name], row, strict=True)) for row in before[name]]
            connection.execute(insert(table), copied)

    for revision in REVISIONS[1:]:
        upgrade_to(oldest, revision)
        assert rows(oldest, columns) == before, revision
    with engine.connect() as connection:
        assert accounting.balance(connection).unaccounted == 0


def test_everything_accepted_is_followed_or_closed_before_and_after(url: str) -> None:
    states = Counter(holds(url, "SELECT state FROM conversation"))
    accepted = len(holds(url, "SELECT conversation_id FROM registration"))
    assert accepted == states.total() > 20

    migrate(url)

    with engine_of(url).connect() as connection:
        balance = accounting.balance(connection)
    assert (balance.accepted, balance.closed, balance.unaccounted) == (accepted, states["closed"], 0)
    assert balance.followed == states["pending"] + states["subscribed"]


def test_every_pending_record_waits_still_with_its_content(url: str) -> None:
    with engine_of(url).connect() as connection:
        query = "SELECT id, content, names, attempt, in_doubt FROM entry WHERE state = 'pending'"
        before = {row.id: row for row in connection.exec_driver_sql(query)}

    migrate(url)

    with engine_of(url).connect() as connection:
        found = {one.id: one for one in outbox.due(connection, now=LATER, lease_ms=LEASE, limit=100)}
        backlog = outbox.backlog(connection, LATER)
    assert set(found) == set(before)
    assert (backlog.pending, backlog.dead) == (len(before), 1)
    for number, one in before.items():
        assert (found[number].content, found[number].known) == (one.content, one.names)
        assert (found[number].attempt, found[number].in_doubt) == (one.attempt, bool(one.in_doubt))
        assert json.loads(one.content)["conversation_id"] == found[number].conversation_id


def test_both_reports_of_one_work_are_still_known(url: str) -> None:
    twins = set(holds(url, "SELECT twin_id FROM entry WHERE twin_id IS NOT NULL"))

    migrate(url)

    assert set(holds(url, "SELECT id FROM counterpart")) == twins != set()


def test_the_triggers_count_what_is_changed_afterwards(url: str) -> None:
    migrate(url)

    with engine_of(url).begin() as connection:
        before = tallied(connection)
        stored.register(connection)
        due = outbox.due(connection, now=LATER, lease_ms=LEASE, limit=1)
        ready = [claims.ReadyEntry(entry=one) for one in due]
        claimed = claims.claim(connection, ready, owner=stored.OWNER, now=LATER, lease_ms=LEASE)
        claims.conclude(connection, [(one, Delivered()) for one in claimed], now=LATER)
        after = tallied(connection)
        assert after == counted(connection)
    changes = {name: after[name] - before[name] for name in after}
    assert changes == {"registrations": 1, "conversations": 1, "pending": -1, "dead": 0}


def test_a_second_migration_changes_nothing(url: str) -> None:
    migrate(url)
    before, tables = rows(url), columns_of(url)

    assert migrate(url) is False

    assert (rows(url), columns_of(url)) == (before, tables)
    assert holds(url, "SELECT version_num FROM alembic_version") == [HEAD]
