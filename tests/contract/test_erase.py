"""Everything stored about one customer is erased, and nothing else, on both databases."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Row, Table

from genesys_gateway.domain.outbox import Delivered
from genesys_gateway.storage import Storage
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import claims, customer, dead_letters, outbox
from genesys_gateway.storage.statements.claims import Claim, ReadyEntry
from genesys_gateway.storage.statements.customer import ERASED, Erased, Undelivered
from genesys_gateway.storage.tables import conversation, entry
from tests.doubles import stored_rows as stored
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import CONVERSATION, CUSTOMER, NOW, OTHER_CUSTOMER, PERSONAL

LEASE = 20_000


class CommandBesideGateway:
    """An operator session and the storage of a gateway, on the same database."""

    def __init__(self, storage: Storage, session: OperatorSession) -> None:
        self.gateway = storage.run
        self.session = session

    def store(self, *rows: dict[str, Any]) -> None:
        """Insert rows of entries and conversations, each in its own transaction."""
        for row in rows:
            table = entry if "conversation_id" in row else conversation
            self.gateway(partial(_put, table, row))

    def erase(self, *ids: str, even_undelivered: bool = False) -> Erased:
        return self.session.write(
            lambda c: customer.erase(c, CUSTOMER, ids, even_undelivered=even_undelivered, now=NOW + 5)
        )

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
        (claim,) = self.gateway(lambda c: claims.claim(c, wanted, owner="me", now=NOW, lease_ms=LEASE))
        return claim


def _put(table: Table, row: dict[str, Any], connection: Connection) -> None:
    stored.put(connection, table, row)


@pytest.fixture
def command(storage: Storage, database_url: str, clock: FakeClock) -> Iterator[CommandBesideGateway]:
    with OperatorSession(database_url, clock) as session:
        yield CommandBesideGateway(storage, session)


def test_conversations_of_a_customer_are_listed_oldest_first(command: CommandBesideGateway) -> None:
    command.store(
        stored.open_row("young", created_at=NOW),
        stored.conversation_row("old", created_at=NOW - 9),
        stored.conversation_row("other", customer_id=OTHER_CUSTOMER),
        stored.conversation_row("erased", customer_id=None, erased_at=NOW),
    )

    assert command.session.read(lambda c: customer.conversations_of(c, CUSTOMER)) == ["old", "young"]


def test_a_closed_conversation_loses_its_customer_and_its_delivered_records_their_content(
    command: CommandBesideGateway,
) -> None:
    command.store(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1"))

    assert command.erase("c-1") == Erased(conversations=("c-1",), records=("r-1",))

    row = command.conversation("c-1")
    assert (row.customer_id, row.outcome, row.erased_at) == (None, "logged", NOW + 5)
    row = command.entry("r-1")
    assert (row.content, row.amended_content, row.names, row.state, row.user_id) == (
        None,
        None,
        None,
        "delivered",
        "u-1",
    )
    assert command.timeline("c-1") == [("erased", "r-1"), ("erased", None)]
    assert not [value for value in PERSONAL if value in command.gateway(stored.everything)]


def test_an_open_conversation_is_followed_on_without_its_customer(command: CommandBesideGateway) -> None:
    command.store(stored.open_row("c-1"))

    assert command.erase("c-1") == Erased(conversations=("c-1",), followed=("c-1",))

    row = command.conversation("c-1")
    assert (row.state, row.customer_id, row.erased_at, row.due_at) == ("pending", None, NOW + 5, NOW)


def test_a_record_that_comes_after_it_is_delivered_without_a_customer(command: CommandBesideGateway) -> None:
    command.store(stored.open_row("c-1"))
    command.erase("c-1")
    command.store(stored.pending_row("r-1", "c-1", names=None, attempt=0, next_at=NOW))

    assert command.claim("r-1").known.customer_id is None


@pytest.mark.parametrize("row", [stored.pending_row, stored.dead_row])
def test_a_conversation_with_something_undelivered_is_left_whole(
    command: CommandBesideGateway, row: Callable[..., Any]
) -> None:
    command.store(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1"), row("r-2", "c-1"))
    command.store(stored.conversation_row("c-2"), stored.entry_row("r-3", "c-2"))

    (undelivered,) = command.undelivered()
    erased = command.erase("c-1", "c-2")

    assert (undelivered.id, undelivered.conversation_id) == ("r-2", "c-1")
    assert erased == Erased(conversations=("c-2",), records=("r-3",), left=(undelivered,))
    assert command.conversation("c-1").customer_id == CUSTOMER
    assert command.entry("r-1").content is not None
    assert command.entry("r-2").content is not None
    assert command.timeline("c-1") == []


def test_on_an_order_of_its_own_what_is_undelivered_is_given_up_and_stays_as_dead(
    command: CommandBesideGateway,
) -> None:
    command.store(stored.conversation_row("c-1"), stored.pending_row("p", "c-1"), stored.dead_row("d", "c-1"))

    erased = command.erase("c-1", even_undelivered=True)

    assert erased.conversations == ("c-1",)
    assert [(one.id, one.state, one.in_doubt) for one in erased.given_up] == [
        ("d", "dead", False),
        ("p", "pending", False),
    ]
    for record_id in ("p", "d"):
        row = command.entry(record_id)
        assert (row.state, row.reason, row.content, row.names, row.last_error) == ("dead", ERASED, None, None, None)
    assert command.timeline("c-1") == [
        ("dead", f"p {ERASED}"),
        ("erased", "d"),
        ("erased", "p"),
        ("erased", None),
    ]
    assert command.undelivered() == []


def test_what_was_given_up_so_is_shown_and_can_not_be_requeued(command: CommandBesideGateway) -> None:
    command.store(stored.conversation_row("c-1"), stored.pending_row("p", "c-1"))
    command.erase("c-1", even_undelivered=True)

    (shown,) = command.session.read(lambda c: dead_letters.dead_letters(c, limit=9))
    assert (shown.id, shown.reason) == ("p", ERASED)
    assert not command.session.write(lambda c: dead_letters.requeue(c, "p", now=NOW, why="by hand"))
    assert command.gateway(lambda c: outbox.backlog(c, NOW)).dead == 0, (
        "an erased record raises no alarm, because nobody could end it"
    )


def test_an_attempt_that_is_under_way_concludes_too_late_and_is_said_to_be_in_doubt(
    command: CommandBesideGateway,
) -> None:
    command.store(stored.conversation_row("c-1"), stored.pending_row("p", "c-1"))
    claim = command.claim("p")

    (given_up,) = command.erase("c-1", even_undelivered=True).given_up

    assert given_up.in_doubt, "it may be in communication history all the same"
    assert command.gateway(lambda c: claims.conclude(c, [(claim, Delivered())], now=NOW)) == ["p"]
    assert command.entry("p").state == "dead"


def test_an_entry_that_a_gateway_has_read_can_not_be_claimed_after_it(command: CommandBesideGateway) -> None:
    command.store(stored.conversation_row("c-1"), stored.pending_row("p", "c-1"))
    (read,) = command.gateway(lambda c: outbox.due(c, now=NOW, lease_ms=LEASE, limit=9))
    command.erase("c-1", even_undelivered=True)

    wanted = [ReadyEntry(entry=read)]
    assert command.gateway(lambda c: claims.claim(c, wanted, owner="me", now=NOW, lease_ms=LEASE)) == []


def test_a_conversation_that_has_another_customer_by_now_is_left_alone(command: CommandBesideGateway) -> None:
    command.store(stored.conversation_row("c-1", customer_id=OTHER_CUSTOMER), stored.entry_row("r-1", "c-1"))

    assert command.erase("c-1", even_undelivered=True) == Erased()
    assert command.conversation("c-1").customer_id == OTHER_CUSTOMER
    assert command.entry("r-1").content is not None


def test_a_repetition_finds_nothing(command: CommandBesideGateway) -> None:
    command.store(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1"))
    command.erase("c-1")

    assert command.erase("c-1") == Erased()
    assert command.timeline("c-1") == [("erased", "r-1"), ("erased", None)]


def test_frames_are_found_by_the_conversation_they_name_in_topic_or_text(command: CommandBesideGateway) -> None:
    command.gateway(
        lambda c: stored.put_frame(c, f'{{"conversationId": "{CONVERSATION.upper()}", "ani": "{PERSONAL[0]}"}}')
    )
    command.gateway(lambda c: stored.put_frame(c, "cut", topic=f"v2.detail.events.conversation.{CONVERSATION}.acw"))
    command.gateway(lambda c: stored.put_frame(c, "of another", topic=f"v2.detail.events.conversation.{CUSTOMER}.acw"))

    numbers = command.session.read(lambda c: customer.frames_naming(c, [CONVERSATION]))

    assert len(numbers) == 2
    assert command.session.read(lambda c: customer.frames_naming(c, [])) == []
