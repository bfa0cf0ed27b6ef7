"""Statements that take what the sockets and reconciliation bring: entries of the outbox, frames for quarantine.

Law: the first content under an id stands, except that a live event replaces a backfilled one that nobody tried to
deliver yet.
"""

from enum import Enum

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from genesys_gateway.events import AcwEvent, Unreadable
from genesys_gateway.storage import timeline
from genesys_gateway.storage.conversations import CLOSED, LOGGED, make_due
from genesys_gateway.storage.portable import put_new
from genesys_gateway.storage.tables import conversation, entry, quarantine

LIVE, BACKFILL = "live", "backfill"

#: Frames kept in quarantine at most.
QUARANTINE_FRAMES = 1000
_FRAME_CHARACTERS = 20_000

_AWAIT_END = (
    update(conversation)
    .where(conversation.c.id == bindparam("one"))
    .values(due_at=bindparam("due"), deadline_at=bindparam("deadline"), asked=0)
)
_STATE = select(conversation.c.state).where(conversation.c.id == bindparam("id"))


class Taken(Enum):
    """What became of an event."""

    #: a new entry
    STORED = "stored"
    #: known already, alike
    DUPLICATE = "duplicate"
    #: a live event took the place of a backfilled one
    REPLACED = "replaced"
    #: known already with other content; the first stands
    AMENDED = "amended"
    #: of a conversation that was never registered: nothing was stored
    STRANGER = "stranger"


def put(connection: Connection, event: AcwEvent, source: str, *, now: int, due_at: int, deadline_at: int) -> Taken:
    """Make an after-call work an entry of the outbox, once.

    Args:
        source: ``live`` or ``backfill``.
        due_at: When to ask whether the conversation is over (epoch milliseconds).
        deadline_at: The conversation's new deadline (epoch milliseconds).
    """
    state = connection.execute(_STATE, {"id": event.conversation_id}).scalar()
    if state is None:
        return Taken.STRANGER
    content = event.to_json()
    row = {
        "id": event.record_id,
        "conversation_id": event.conversation_id,
        "participant_id": event.participant_id,
        "session_id": event.session_id,
        "user_id": event.user_id,
        "event_time": event.event_time,
        "source": source,
        "content": content,
        "stored_at": now,
        "state": "pending",
        "next_at": now,
    }
    if not put_new(connection, entry, row):
        return _again(connection, event, content, source, now)
    name = "event_stored" if source == LIVE else "backfilled"
    timeline.note(connection, event.conversation_id, now, name, event.record_id)
    if state == CLOSED:
        timeline.note(connection, event.conversation_id, now, "late_event", event.record_id)
        change = update(conversation).where(conversation.c.id == event.conversation_id)
        connection.execute(change.values(outcome=LOGGED))
    else:
        connection.execute(_AWAIT_END, {"one": event.conversation_id, "due": due_at, "deadline": deadline_at})
    return Taken.STORED


def _again(connection: Connection, event: AcwEvent, content: str, source: str, now: int) -> Taken:
    record_id = event.record_id
    first = connection.execute(select(entry).where(entry.c.id == record_id).with_for_update()).one()
    if source == BACKFILL or content in (first.content, first.amended_content) or first.content is None:
        return Taken.DUPLICATE
    if first.source == BACKFILL and first.attempt == 0:
        change = update(entry).where(entry.c.id == record_id)
        connection.execute(
            change.values(source=LIVE, content=content, user_id=event.user_id, event_time=event.event_time)
        )
        timeline.note(connection, event.conversation_id, now, "event_stored", record_id)
        return Taken.REPLACED
    return _amend(connection, first, content, now)


def _amend(connection: Connection, first: Row[tuple[object, ...]], content: str, now: int) -> Taken:
    change = update(entry).where(entry.c.id == first.id)
    connection.execute(change.values(amended=True, amended_content=content))
    timeline.note(connection, first.conversation_id, now, "amended", first.id)
    return Taken.AMENDED


def missing(connection: Connection, record_ids: list[str]) -> set[str]:
    """Those of the ids that are no entry yet."""
    known = connection.execute(select(entry.c.id).where(entry.c.id.in_(record_ids))).scalars()
    return set(record_ids) - set(known)


def set_aside(connection: Connection, unreadable: Unreadable, frame: bytes, now: int) -> None:
    """Keep a frame that can't be read, and ask Genesys about the conversation that its topic names."""
    text = frame.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    values = {"at": now, "reason": unreadable.reason, "topic": (unreadable.topic or "")[:200] or None}
    connection.execute(insert(quarantine).values(frame=text[:_FRAME_CHARACTERS], **values))
    newest = select(func.max(quarantine.c.seq)).scalar_subquery()
    connection.execute(delete(quarantine).where(quarantine.c.seq <= newest - QUARANTINE_FRAMES))
    if unreadable.conversation_id is not None:
        make_due(connection, unreadable.conversation_id, now)
