"""Statements that store events and supportResults as entries of the outbox, and frames in quarantine.

Invariant: the first content stored under an id is the one that is sent, except that a live event replaces a backfilled
one before its first attempt. An after-call work that was reported under several ids is one entry, see
:mod:`genesys_gateway.storage.statements.counterparts`.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, delete, exists, func, insert, select, union_all, update

from genesys_gateway.domain.after_call_work import AcwEvent, Unreadable
from genesys_gateway.domain.pairing import Kind
from genesys_gateway.storage.portable import put_new
from genesys_gateway.storage.statements import counterparts, locks, timeline
from genesys_gateway.storage.statements.conversations import CLOSED, LOGGED, make_due
from genesys_gateway.storage.statements.counterparts import SUPPORT_RESULT
from genesys_gateway.storage.tables import conversation, counterpart, entry, quarantine

LIVE, BACKFILL = "live", "backfill"

#: Maximum number of frames in quarantine; the oldest are deleted.
QUARANTINE_FRAMES = 1000
#: Maximum number of characters kept of a frame in quarantine.
_FRAME_CHARACTERS = 20_000
#: Maximum number of characters kept of its topic.
_TOPIC_CHARACTERS = 200

#: Event in the timeline for a new entry, by its source.
_STORED_AS = {LIVE: "event_stored", BACKFILL: "backfilled", SUPPORT_RESULT: "event_stored"}

_AWAIT_END = (
    update(conversation)
    .where(conversation.c.id == bindparam("one"))
    .values(
        due_at=bindparam("due"),
        deadline_at=func.coalesce(bindparam("deadline", type_=BigInteger), conversation.c.deadline_at),
        asked=0,
    )
)
#: Whether an entry has this id. Its insertion would wait for another transaction that is changing it.
_IS_STORED = exists().where(entry.c.id == bindparam("id"))
_CONVERSATION = select(
    conversation.c.state, counterparts.HAS_ANY.label("has_any"), _IS_STORED.label("is_stored")
).where(conversation.c.id == bindparam("conversation"))
_STATE = select(conversation.c.state).where(conversation.c.id == bindparam("conversation"))
_FROM_GENESYS = union_all(
    select(entry.c.id).where(entry.c.conversation_id == bindparam("conversation"), entry.c.source != SUPPORT_RESULT),
    select(counterpart.c.id).where(
        counterpart.c.conversation_id == bindparam("conversation"), counterpart.c.kind == Kind.SESSION.value
    ),
)
_ENTRY = select(entry).where(entry.c.id == bindparam("id"))
_LOCKED_ENTRY = {held: _ENTRY.with_for_update(skip_locked=held) for held in (False, True)}
#: Frames beyond the newest ones, except those that another transaction is deleting.
_OLD_FRAMES = (
    select(quarantine.c.seq)
    .where(quarantine.c.seq <= select(func.max(quarantine.c.seq)).scalar_subquery() - QUARANTINE_FRAMES)
    .with_for_update(skip_locked=True)
)


class IntakeResult(Enum):
    """Result of storing an event or a supportResult."""

    #: a new entry
    STORED = "stored"
    #: stored before, with the same content or as its counterpart
    DUPLICATE = "duplicate"
    #: a live event replaced a backfilled one
    REPLACED = "replaced"
    #: stored before with other content, which is still the one that is sent
    AMENDED = "amended"
    #: not stored, because its conversation was never registered
    UNREGISTERED = "unregistered"
    #: not stored yet, because another transaction has locked its entry: to be repeated
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportResultReceipt:
    """Result of storing a supportResult, and the record of its after-call work."""

    result: IntakeResult
    record_id: str
    #: pending, delivered or dead
    state: str


def put(
    connection: Connection,
    event: AcwEvent,
    source: str,
    *,
    now: int,
    due_at: int,
    deadline_at: int | None,
    held: bool = False,
) -> IntakeResult:
    """Store an after-call work reported by Genesys as an entry of the outbox. A repetition adds no second entry.

    Args:
        source: ``live`` or ``backfill``.
        due_at: When to ask whether the conversation is over (epoch milliseconds).
        deadline_at: New deadline of the conversation (epoch milliseconds); None keeps the current one.
        held: Whether the caller holds the lock of the conversation and of its row. Then nothing here waits.
    """
    if not held:
        locks.hold(connection, event.conversation_id)
    named = {"conversation": event.conversation_id, "id": event.record_id}
    known = connection.execute(_CONVERSATION, named).first()
    if known is None:
        return IntakeResult.UNREGISTERED
    if known.has_any or not event.names_session:
        first = counterparts.join(connection, event, source)
        if first is not None:
            return _joined(connection, first, event, source, now, held=held)
    if known.is_stored or not put_new(connection, entry, _row(event, source, now)):
        return _again(connection, event, source, now, held=held)
    _update_conversation(connection, event, source, known.state, now=now, due_at=due_at, deadline_at=deadline_at)
    return IntakeResult.STORED


def entries_from_genesys(connection: Connection, conversation_id: str) -> set[str]:
    """Return the record ids that Genesys has reported. To :func:`put` one of them as ``backfill`` changes nothing."""
    found = connection.execute(_FROM_GENESYS, {"conversation": conversation_id})
    return set(found.scalars())


def put_result(
    connection: Connection, result: AcwEvent, *, now: int, due_at: int, deadline_at: int
) -> SupportResultReceipt:
    """Store an after-call work reported by a supportResult as an entry of the outbox. A repetition adds no second one.

    Its conversation need not be registered.

    Args:
        due_at: When to ask whether the conversation is over, if it is followed (epoch milliseconds).
        deadline_at: New deadline of the conversation, if it is followed (epoch milliseconds).
    """
    locks.hold(connection, result.conversation_id)
    first = counterparts.join(connection, result, SUPPORT_RESULT)
    if first is not None:
        return SupportResultReceipt(result=IntakeResult.DUPLICATE, record_id=first.id, state=first.state)
    row = _row(result, SUPPORT_RESULT, now)
    if not put_new(connection, entry, row):
        first = connection.execute(_LOCKED_ENTRY[False], {"id": result.record_id}).one()
        outcome = _other_content(connection, first, result.to_json(), now)
        return SupportResultReceipt(result=outcome, record_id=first.id, state=first.state)
    state = connection.execute(_STATE, {"conversation": result.conversation_id}).scalar()
    _update_conversation(connection, result, SUPPORT_RESULT, state, now=now, due_at=due_at, deadline_at=deadline_at)
    return SupportResultReceipt(result=IntakeResult.STORED, record_id=row["id"], state=row["state"])


def _row(event: AcwEvent, source: str, now: int) -> dict[str, Any]:
    return {
        "id": event.record_id,
        "conversation_id": event.conversation_id,
        "participant_id": event.participant_id,
        "session_id": event.session_id,
        "user_id": event.user_id,
        "event_time": event.event_time,
        "source": source,
        "content": event.to_json(),
        "stored_at": now,
        "state": "pending",
        "next_at": now,
    }


def _update_conversation(
    connection: Connection,
    event: AcwEvent,
    source: str,
    state: str | None,
    *,
    now: int,
    due_at: int,
    deadline_at: int | None,
) -> None:
    """Note a new entry in the timeline, and have its conversation checked for its end.

    Args:
        state: The conversation's; None if it was never registered.
    """
    one = event.conversation_id
    timeline.note(connection, one, now, _STORED_AS[source], event.record_id)
    if state == CLOSED:
        timeline.note(connection, one, now, "late_event", event.record_id)
        connection.execute(update(conversation).where(conversation.c.id == one).values(outcome=LOGGED))
    elif state is not None:
        connection.execute(_AWAIT_END, {"one": one, "due": due_at, "deadline": deadline_at})


def _again(connection: Connection, event: AcwEvent, source: str, now: int, *, held: bool) -> IntakeResult:
    content = event.to_json()
    if source == BACKFILL or _is_known(connection.execute(_ENTRY, {"id": event.record_id}).one(), content):
        return IntakeResult.DUPLICATE  # most repetitions: they lock nothing
    first = _locked_entry(connection, event.record_id, held=held)
    if first is None:
        return IntakeResult.BUSY
    if first.source == BACKFILL and first.attempt == 0 and first.content is not None:
        change = update(entry).where(entry.c.id == first.id)
        connection.execute(
            change.values(source=LIVE, content=content, user_id=event.user_id, event_time=event.event_time)
        )
        timeline.note(connection, event.conversation_id, now, "event_stored", first.id)
        return IntakeResult.REPLACED
    return _other_content(connection, first, content, now)


def _joined(
    connection: Connection, home: Row[*tuple[Any, ...]], event: AcwEvent, source: str, now: int, *, held: bool
) -> IntakeResult:
    """Store an event in an entry of another id: the entry keeps its content, and a live event's is stored beside it."""
    content = event.to_json()
    if source == BACKFILL or home.content is None or home.amended_content == content:
        return IntakeResult.DUPLICATE
    first = _locked_entry(connection, home.id, held=held)
    if first is None:
        return IntakeResult.BUSY
    if first.content is None:  # erased since it was read
        return IntakeResult.DUPLICATE
    if first.amended_content is None:
        # Two reports under different ids never have quite the same content. So only the same report with other content
        # than before is an amendment.
        connection.execute(update(entry).where(entry.c.id == first.id).values(amended_content=content))
        return IntakeResult.DUPLICATE
    if AcwEvent.from_json(first.amended_content).identity != event.identity:
        return IntakeResult.DUPLICATE
    return _other_content(connection, first, content, now)


def _locked_entry(connection: Connection, record_id: str, *, held: bool) -> Row[*tuple[Any, ...]] | None:
    """An entry that exists, locked; None if another transaction has locked it and this one must not wait."""
    return connection.execute(_LOCKED_ENTRY[held], {"id": record_id}).first()


def _is_known(first: Row[*tuple[Any, ...]], content: str) -> bool:
    """Whether an entry has this content already. An erased entry counts as having any, so that it gets none back."""
    return first.content is None or content in (first.content, first.amended_content)


def _other_content(connection: Connection, first: Row[*tuple[Any, ...]], content: str, now: int) -> IntakeResult:
    if _is_known(first, content):
        return IntakeResult.DUPLICATE
    change = update(entry).where(entry.c.id == first.id)
    connection.execute(change.values(amended=True, amended_content=content))
    timeline.note(connection, first.conversation_id, now, "amended", first.id)
    return IntakeResult.AMENDED


def set_aside(connection: Connection, unreadable: Unreadable, frame: bytes, now: int) -> None:
    """Put a frame into quarantine, and make the conversation that was read from its topic due."""
    text = frame.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    values = {"at": now, "reason": unreadable.reason, "topic": (unreadable.topic or "")[:_TOPIC_CHARACTERS] or None}
    connection.execute(insert(quarantine).values(frame=text[:_FRAME_CHARACTERS], **values))
    connection.execute(delete(quarantine).where(quarantine.c.seq.in_(_OLD_FRAMES)))
    if unreadable.conversation_id is not None:
        make_due(connection, unreadable.conversation_id, now)
