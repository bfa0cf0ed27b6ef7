"""A person's command reads and writes the database beside the gateway, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.storage import Storage
from genesys_gateway.storage.migrate import DatabaseTooNew, DatabaseTooOld
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import customer
from tests.contract.test_migrations import set_version
from tests.doubles import stored_rows as stored
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import CUSTOMER, NOW, PERSONAL


@pytest.fixture
def session(storage: Storage, database_url: str, clock: FakeClock) -> Iterator[OperatorSession]:
    """A session beside an open storage, as while the gateway runs."""
    with OperatorSession(database_url, clock) as session:
        yield session


def test_what_a_session_reads_waits_for_no_writer(
    session: OperatorSession, database_url: str, clock: FakeClock
) -> None:
    def count(connection: Connection) -> int:
        return len(customer.conversations_of(connection, CUSTOMER))

    with OperatorSession(database_url, clock, patience_seconds=0.05) as other:

        def write_and_read(connection: Connection) -> int:
            stored.put_conversations(connection, stored.conversation_row("c-1"))
            return other.read(count)

        assert session.write(write_and_read) == 0
        assert other.read(count) == 1


def test_what_fails_in_a_session_changes_nothing_and_the_session_goes_on(session: OperatorSession) -> None:
    def fail(connection: Connection) -> None:
        stored.put_conversations(connection, stored.conversation_row("c-1"))
        raise LookupError

    with pytest.raises(LookupError):
        session.write(fail)

    assert session.read(lambda c: customer.conversations_of(c, CUSTOMER)) == []


def test_what_was_erased_is_wiped_from_the_log_too(
    session: OperatorSession, storage: Storage, database_url: str
) -> None:
    storage.run(lambda c: stored.put_conversations(c, stored.conversation_row("c-1")))
    storage.run(lambda c: stored.put_entries(c, stored.entry_row("r-1", "c-1")))
    session.write(lambda c: customer.erase(c, CUSTOMER, ["c-1"], even_undelivered=False, now=NOW))

    assert session.wipe_log()

    if database_url.startswith("sqlite"):
        path = database_url.removeprefix("sqlite:///")
        with open(path, "rb") as file, open(f"{path}-wal", "rb") as log:
            kept = file.read() + log.read()
        assert not [value for value in PERSONAL if value.encode() in kept]


def test_a_session_makes_and_changes_no_tables(tmp_path: Path, clock: FakeClock) -> None:
    with (
        pytest.raises(StorageUnavailable, match=r"gateway\.db"),
        OperatorSession(f"sqlite:///{tmp_path}/gateway.db", clock),
    ):
        pass
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "gateway.db").touch()
    with pytest.raises(DatabaseTooOld, match="migrate"), OperatorSession(f"sqlite:///{tmp_path}/gateway.db", clock):
        pass


def test_a_session_of_another_version_is_turned_away(sqlite_url: str, clock: FakeClock) -> None:
    set_version(sqlite_url, "9999")

    with pytest.raises(DatabaseTooNew), OperatorSession(sqlite_url, clock):
        pass


def test_a_server_that_does_not_answer_is_unavailable(clock: FakeClock) -> None:
    with (
        pytest.raises(StorageUnavailable),
        OperatorSession("postgresql+psycopg://nobody:secret@127.0.0.1:1/test", clock),
    ):
        pass
