"""Everything that is kept of one customer is erased, and nothing else; on both databases."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Row

from genesys_gateway.domain.outbox import Delivered
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.storage import Storage
from genesys_gateway.storage.migrate import DatabaseTooNew, DatabaseTooOld
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import customer, dead_letters, outbox
from genesys_gateway.storage.statements.customer import ERASED, Erased, Undelivered
from genesys_gateway.storage.statements.outbox import Claim, ReadyEntry
from tests.contract.test_migrations import set_version
from tests.doubles import stored_rows as stored
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import CUSTOMER, NOW, OTHER_CUSTOMER, PERSONAL

LEASE = 20_000
UUID = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"


class Desk:
    """A person's command beside a storage that works on the same database."""

    def __init__(self, storage: Storage, session: OperatorSession) -> None:
        self.gateway = storage.run
        self.session = session

    def store(self, *rows: dict[str, Any]) -> None:
        for row in rows:
            put = stored.put_entries if "conversation_id" in row else stored.put_conversations
            self.gateway(partial(_put, put, row))

    def erase(self, *ids: str, even_undelivered: bool = False, who: str = CUSTOMER) -> Erased:
        return self.session.write(lambda c: customer.erase(c, who, ids, even_undelivered=even_undelivered, now=NOW + 5))

    def undelivered(self) -> Sequence[Undelivered]:
        return self.session.read(lambda c: customer.undelivered(c, CUSTOMER))

    def conversation(self, conversation_id: str) -> Row[*tuple[Any, ...]]:
        return self.gateway(lambda c: stored.get_conversation(c, conversation_id))

    def entry(self, record_id: str) -> Row[*tuple[Any, ...]]:
        return self.gateway(lambda c: stored.get_entry(c, record_id))

    def timeline(self, conversation_id: str) -> list[tuple[str, str | None]]:
        return self.gateway(lambda c: stored.get_timeline(c, conversation_id))

    def claim(self, record_id: str) -> Claim:
        due = self.gateway(lambda c: outbox.due(c, now=NOW, lease_ms=LEASE, limit=9))
        wanted = [ReadyEntry(entry=one) for one in due if one.id == record_id]
        (claim,) = self.gateway(lambda c: outbox.claim(c, wanted, owner="me", now=NOW, lease_ms=LEASE))
        return claim


def _put(put: Callable[..., None], row: dict[str, Any], connection: Connection) -> None:
    put(connection, row)


@pytest.fixture
def desk(storage: Storage, database_url: str, clock: FakeClock) -> Iterator[Desk]:
    with OperatorSession(database_url, clock) as session:
        yield Desk(storage, session)


def test_conversations_of_a_customer_are_told_oldest_first(desk: Desk) -> None:
    desk.store(
        stored.open_row("young", created_at=NOW),
        stored.conversation_row("old", created_at=NOW - 9),
        stored.conversation_row("other", customer_id=OTHER_CUSTOMER),
        stored.conversation_row("erased", customer_id=None, erased_at=NOW),
    )

    assert desk.session.read(lambda c: customer.conversations_of(c, CUSTOMER)) == ["old", "young"]


def test_a_closed_conversation_loses_its_customer_and_its_delivered_records_their_content(desk: Desk) -> None:
    desk.store(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1"))

    assert desk.erase("c-1") == Erased(conversations=("c-1",), records=("r-1",))

    row = desk.conversation("c-1")
    assert (row.customer_id, row.outcome, row.erased_at) == (None, "logged", NOW + 5)
    row = desk.entry("r-1")
    assert (row.content, row.amended_content, row.names, row.state, row.user_id) == (
        None,
        None,
        None,
        "delivered",
        "u-1",
    )
    assert desk.timeline("c-1") == [("erased", "r-1"), ("erased", None)]
    assert not [value for value in PERSONAL if value in desk.gateway(stored.everything)]


def test_an_open_conversation_is_followed_on_without_its_customer(desk: Desk) -> None:
    desk.store(stored.open_row("c-1"))

    assert desk.erase("c-1") == Erased(conversations=("c-1",), followed=("c-1",))

    row = desk.conversation("c-1")
    assert (row.state, row.customer_id, row.erased_at, row.due_at) == ("pending", None, NOW + 5, NOW)


def test_a_record_that_comes_after_it_is_delivered_without_a_customer(desk: Desk) -> None:
    desk.store(stored.open_row("c-1"))
    desk.erase("c-1")
    desk.store(stored.pending_row("r-1", "c-1", names=None, attempt=0, next_at=NOW))

    assert desk.claim("r-1").known.customer_id is None


@pytest.mark.parametrize("row", [stored.pending_row, stored.dead_row])
def test_a_conversation_with_something_undelivered_is_left_whole(desk: Desk, row: Callable[..., Any]) -> None:
    desk.store(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1"), row("r-2", "c-1"))
    desk.store(stored.conversation_row("c-2"), stored.entry_row("r-3", "c-2"))

    (waiting,) = desk.undelivered()
    erased = desk.erase("c-1", "c-2")

    assert (waiting.id, waiting.conversation_id) == ("r-2", "c-1")
    assert erased == Erased(conversations=("c-2",), records=("r-3",), left=(waiting,))
    assert desk.conversation("c-1").customer_id == CUSTOMER
    assert desk.entry("r-1").content is not None
    assert desk.entry("r-2").content is not None
    assert desk.timeline("c-1") == []


def test_on_an_order_of_its_own_what_is_undelivered_is_given_up_and_stays_as_dead(desk: Desk) -> None:
    desk.store(stored.conversation_row("c-1"), stored.pending_row("p", "c-1"), stored.dead_row("d", "c-1"))

    erased = desk.erase("c-1", even_undelivered=True)

    assert erased.conversations == ("c-1",)
    assert [(one.id, one.state, one.in_doubt) for one in erased.given_up] == [
        ("d", "dead", False),
        ("p", "pending", False),
    ]
    for record_id in ("p", "d"):
        row = desk.entry(record_id)
        assert (row.state, row.reason, row.content, row.names, row.last_error) == ("dead", ERASED, None, None, None)
    assert desk.timeline("c-1") == [
        ("dead", f"p {ERASED}"),
        ("erased", "d"),
        ("erased", "p"),
        ("erased", None),
    ]
    assert desk.undelivered() == []


def test_what_was_given_up_so_is_shown_and_can_not_be_requeued(desk: Desk) -> None:
    desk.store(stored.conversation_row("c-1"), stored.pending_row("p", "c-1"))
    desk.erase("c-1", even_undelivered=True)

    (shown,) = desk.session.read(lambda c: dead_letters.dead_letters(c, limit=9))
    assert (shown.id, shown.reason) == ("p", ERASED)
    assert desk.session.write(lambda c: dead_letters.requeue(c, ["p"], now=NOW)) == 0
    assert desk.gateway(lambda c: outbox.backlog(c, NOW)).dead == 0, "an alarm that nobody can end helps nobody"


def test_an_attempt_that_is_under_way_concludes_too_late_and_is_said_to_be_in_doubt(desk: Desk) -> None:
    desk.store(stored.conversation_row("c-1"), stored.pending_row("p", "c-1"))
    claim = desk.claim("p")

    (given_up,) = desk.erase("c-1", even_undelivered=True).given_up

    assert given_up.in_doubt, "it may be in communication history all the same"
    assert desk.gateway(lambda c: outbox.conclude(c, [(claim, Delivered())], now=NOW)) == ["p"]
    assert desk.entry("p").state == "dead"


def test_an_entry_that_a_gateway_has_read_can_not_be_claimed_after_it(desk: Desk) -> None:
    desk.store(stored.conversation_row("c-1"), stored.pending_row("p", "c-1"))
    (read,) = desk.gateway(lambda c: outbox.due(c, now=NOW, lease_ms=LEASE, limit=9))
    desk.erase("c-1", even_undelivered=True)

    wanted = [ReadyEntry(entry=read)]
    assert desk.gateway(lambda c: outbox.claim(c, wanted, owner="me", now=NOW, lease_ms=LEASE)) == []


def test_a_conversation_that_has_another_customer_by_now_is_left_alone(desk: Desk) -> None:
    desk.store(stored.conversation_row("c-1", customer_id=OTHER_CUSTOMER), stored.entry_row("r-1", "c-1"))

    assert desk.erase("c-1", even_undelivered=True) == Erased()
    assert desk.conversation("c-1").customer_id == OTHER_CUSTOMER
    assert desk.entry("r-1").content is not None


def test_a_repetition_finds_nothing(desk: Desk) -> None:
    desk.store(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1"))
    desk.erase("c-1")

    assert desk.erase("c-1") == Erased()
    assert desk.timeline("c-1") == [("erased", "r-1"), ("erased", None)]


def test_frames_are_found_by_the_conversation_they_name_in_topic_or_text(desk: Desk) -> None:
    desk.gateway(lambda c: stored.put_frame(c, f'{{"conversationId": "{UUID.upper()}", "ani": "{PERSONAL[0]}"}}'))
    desk.gateway(lambda c: stored.put_frame(c, "cut", topic=f"v2.detail.events.conversation.{UUID}.acw"))
    desk.gateway(lambda c: stored.put_frame(c, "of another", topic=f"v2.detail.events.conversation.{CUSTOMER}.acw"))

    numbers = desk.session.read(lambda c: customer.frames_naming(c, [UUID]))

    assert len(numbers) == 2
    assert desk.session.read(lambda c: customer.frames_naming(c, [])) == []


# The visit itself


def test_what_a_visitor_reads_needs_no_turn_at_the_disk(desk: Desk, database_url: str, clock: FakeClock) -> None:
    def count(connection: Connection) -> int:
        return len(customer.conversations_of(connection, CUSTOMER))

    with OperatorSession(database_url, clock, patience_seconds=0.05) as other:

        def write_and_look(connection: Connection) -> int:
            stored.put_conversations(connection, stored.conversation_row("c-1"))
            return other.read(count)

        assert desk.session.write(write_and_look) == 0
        assert other.read(count) == 1


def test_what_fails_in_a_visit_changes_nothing_and_the_visit_goes_on(desk: Desk) -> None:
    def fail(connection: Connection) -> None:
        stored.put_conversations(connection, stored.conversation_row("c-1"))
        raise LookupError

    with pytest.raises(LookupError):
        desk.session.write(fail)

    assert desk.session.read(lambda c: customer.conversations_of(c, CUSTOMER)) == []


def test_what_was_erased_is_wiped_from_the_log_too(desk: Desk, database_url: str) -> None:
    desk.store(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1"))
    desk.erase("c-1")

    assert desk.session.wipe_log()

    if database_url.startswith("sqlite"):
        path = database_url.removeprefix("sqlite:///")
        with open(path, "rb") as file, open(f"{path}-wal", "rb") as log:
            kept = file.read() + log.read()
        assert not [value for value in PERSONAL if value.encode() in kept]


def test_a_visitor_makes_and_changes_no_tables(tmp_path: Any, clock: FakeClock) -> None:
    with (
        pytest.raises(StorageUnavailable, match=r"gateway\.db"),
        OperatorSession(f"sqlite:///{tmp_path}/gateway.db", clock),
    ):
        pass
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "gateway.db").touch()
    with pytest.raises(DatabaseTooOld, match="migrate"), OperatorSession(f"sqlite:///{tmp_path}/gateway.db", clock):
        pass


def test_a_visitor_of_another_version_is_turned_away(sqlite_url: str, clock: FakeClock) -> None:
    set_version(sqlite_url, "9999")

    with pytest.raises(DatabaseTooNew), OperatorSession(sqlite_url, clock):
        pass


def test_a_server_that_does_not_answer_is_unavailable(clock: FakeClock) -> None:
    with (
        pytest.raises(StorageUnavailable),
        OperatorSession("postgresql+psycopg://nobody:secret@127.0.0.1:1/test", clock),
    ):
        pass
