"""Rows put directly into a database, a registration, and what is found in the tables afterwards."""

from typing import Any

from sqlalchemy import Connection, Row, Table, insert, select

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.record import FirstAttemptFacts
from genesys_gateway.storage.statements import conversations
from genesys_gateway.storage.statements.conversations import ConversationView, Newcomer, Pairing
from genesys_gateway.storage.tables import conversation, entry, quarantine, transition

NOW = 1_763_805_600_000
DAY = 86_400_000
#: Time from a registration to the deadline, in milliseconds.
FOLLOW_MS = 3 * DAY
DEADLINE = NOW + FOLLOW_MS
CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
OTHER_CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9f"
CUSTOMER = "11111111-2222-4333-8444-555555555555"
OTHER_CUSTOMER = "99999999-2222-4333-8444-555555555555"
#: The instance that follows the conversations.
OWNER = "00000000-0000-4000-8000-000000000001"
#: Personal data of a customer. None of it may remain after an erasure, or be shown without being asked for.
PERSONAL = ("+639171234567", "Maria Cruz", "He is getting divorced", "My divorce", CUSTOMER)

EVENT = AcwEvent(
    conversation_id="c-1",
    participant_id="p-1",
    session_id="s-1",
    user_id="u-1",
    event_time=NOW - DAY,
    media_type="VOICE",
    direction="INBOUND",
    ani=PERSONAL[0],
    subject=PERSONAL[3],
    queue_id="q-1",
    wrapup_code="ININ-WRAP-UP-TIMEOUT",
    wrapup_notes=PERSONAL[2],
    wrapup_duration_ms=4000,
)


def register(
    connection: Connection,
    conversation_id: str = CONVERSATION,
    customer_id: str = CUSTOMER,
    *,
    now: int = NOW,
    owner: str = OWNER,
) -> tuple[Pairing, ConversationView]:
    """Register a conversation as the HTTP interface does; it is due after two minutes."""
    return conversations.register(connection, newcomer(conversation_id, customer_id, now=now), owner)


def newcomer(conversation_id: str = CONVERSATION, customer_id: str = CUSTOMER, *, now: int = NOW) -> Newcomer:
    """A conversation to be registered, due after two minutes."""
    return Newcomer(
        id=conversation_id,
        customer_id=customer_id,
        now=now,
        due_at=now + 120_000,
        deadline_at=now + FOLLOW_MS,
    )


def conversation_row(conversation_id: str, **changes: Any) -> dict[str, Any]:
    """A conversation that was closed now."""
    row = {
        "id": conversation_id,
        "customer_id": CUSTOMER,
        "state": "closed",
        "outcome": "logged",
        "created_at": NOW - DAY,
        "deadline_at": NOW + 2 * DAY,
        "closed_at": NOW,
    }
    return row | changes


def open_row(conversation_id: str, **changes: Any) -> dict[str, Any]:
    """A conversation that is followed and not covered."""
    followed = {"state": "pending", "outcome": None, "closed_at": None, "uncovered_since": NOW - DAY, "due_at": NOW}
    return conversation_row(conversation_id, **followed | changes)


def entry_row(record_id: str, conversation_id: str, **changes: Any) -> dict[str, Any]:
    """An entry that was delivered now, with personal data in every field that may contain some."""
    row = {
        "id": record_id,
        "conversation_id": conversation_id,
        "participant_id": EVENT.participant_id,
        "session_id": EVENT.session_id,
        "user_id": EVENT.user_id,
        "event_time": EVENT.event_time,
        "source": "live",
        "content": EVENT.to_json(),
        "stored_at": NOW - DAY,
        "amended": True,
        "amended_content": EVENT.to_json(),
        "state": "delivered",
        "attempt": 1,
        "names": FirstAttemptFacts(agent_name=PERSONAL[1], wrapup_name="Loan", customer_id=CUSTOMER).to_json(),
        "next_at": NOW - DAY,
        "delivered_at": NOW,
    }
    return row | changes


def pending_row(record_id: str, conversation_id: str, **changes: Any) -> dict[str, Any]:
    """An entry that waits for its second attempt."""
    waiting = {"state": "pending", "delivered_at": None, "last_error": "HTTP 503"}
    return entry_row(record_id, conversation_id, **waiting | changes)


def dead_row(record_id: str, conversation_id: str, **changes: Any) -> dict[str, Any]:
    """An entry that the receiver refused."""
    dead = {"state": "dead", "reason": "refused with HTTP 422", "delivered_at": None, "last_error": "HTTP 422"}
    return entry_row(record_id, conversation_id, **dead | changes)


def put(connection: Connection, table: Table, *rows: dict[str, Any]) -> None:
    """Insert rows one by one, because they may have different columns."""
    for row in rows:
        connection.execute(insert(table).values(row))


def put_conversations(connection: Connection, *rows: dict[str, Any]) -> None:
    put(connection, conversation, *rows)


def put_entries(connection: Connection, *rows: dict[str, Any]) -> None:
    put(connection, entry, *rows)


def put_frame(connection: Connection, frame: str, at: int = NOW, topic: str | None = None) -> None:
    put(connection, quarantine, {"at": at, "reason": "not_an_event", "topic": topic, "frame": frame})


def put_timeline(connection: Connection, conversation_id: str, *lines: tuple[int, str, str | None]) -> None:
    """Add lines: when, which event, and its detail."""
    for at, event, detail in lines:
        put(connection, transition, {"conversation_id": conversation_id, "at": at, "event": event, "detail": detail})


def get_conversation(connection: Connection, conversation_id: str) -> Row[*tuple[Any, ...]]:
    return connection.execute(select(conversation).where(conversation.c.id == conversation_id)).one()


def get_entry(connection: Connection, record_id: str) -> Row[*tuple[Any, ...]]:
    return connection.execute(select(entry).where(entry.c.id == record_id)).one()


def get_frames(connection: Connection) -> list[str]:
    return list(connection.execute(select(quarantine.c.frame).order_by(quarantine.c.seq)).scalars())


def get_timeline(connection: Connection, conversation_id: str) -> list[tuple[str, str | None]]:
    query = select(transition.c.event, transition.c.detail).where(transition.c.conversation_id == conversation_id)
    return [(row.event, row.detail) for row in connection.execute(query.order_by(transition.c.seq))]


def everything(connection: Connection) -> str:
    """All values of all tables that may contain personal data, as one text."""
    rows = [row for table in (conversation, entry, quarantine, transition) for row in connection.execute(select(table))]
    return repr(rows)
