"""Statements that store events and supportResults as entries of the outbox, and frames in quarantine.

Invariant: the first content stored under an id is the one that is sent, except that a live event replaces a backfilled
one before its first attempt. An after-call work that was reported under several ids is one entry, see
:mod:`genesys_gateway.storage.statements.counterparts`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, and_, bindparam, delete, func, insert, select, union_all, update

from genesys_gateway.domain.after_call_work import AcwEvent, Unreadable
from genesys_gateway.domain.pairing import Kind
from genesys_gateway.storage.many_rows import insert_all, is_among
from genesys_gateway.storage.portable import put_new
from genesys_gateway.storage.statements import counterparts, locks, timeline
from genesys_gateway.storage.statements.conversations import CLOSED, LOGGED
from genesys_gateway.storage.statements.counterparts import SUPPORT_RESULT
from genesys_gateway.storage.statements.coverage import make_due
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
    .where(is_among(conversation.c.id, "conversations"))
    .values(
        due_at=bindparam("due"),
        deadline_at=func.coalesce(bindparam("deadline", type_=BigInteger), conversation.c.deadline_at),
        asked=0,
    )
)
_LOG = update(conversation).where(is_among(conversation.c.id, "conversations")).values(outcome=LOGGED)
#: What is known of conversations, and of the entries that have these ids.
_KNOWN = (
    select(
        conversation.c.id.label("conversation"),
        conversation.c.state,
        counterparts.HAS_ANY.label("has_any"),
        entry.c.id.label("record"),
        entry.c.content,
        entry.c.amended_content,
    )
    .outerjoin_from(
        conversation,
        entry,
        and_(entry.c.conversation_id == conversation.c.id, is_among(entry.c.id, "records")),
    )
    .where(is_among(conversation.c.id, "conversations"))
)
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


#: A row of ``entry`` that is to be inserted.
_NewRow = Mapping[str, Any]
#: The content of an entry, and the one that came later.
_Contents = tuple[str | None, str | None]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What is the same for all events that are stored together."""

    #: live, backfill or supportResult
    source: str
    #: when it is stored, when to ask about the conversations, and their new deadline, in epoch milliseconds
    now: int
    due_at: int
    #: None keeps the current one
    deadline_at: int | None
    #: whether nothing may wait for a lock
    held: bool = False


@dataclass(slots=True)
class _Known:
    """What is stored already."""

    #: state of each conversation that was ever registered
    states: dict[str, str] = field(default_factory=dict)
    #: conversations that have a report without a session
    with_agents: set[str] = field(default_factory=set)
    #: contents of entries, by their ids
    contents: dict[str, _Contents] = field(default_factory=dict)


def put(
    connection: Connection, event: AcwEvent, source: str, *, now: int, due_at: int, deadline_at: int | None
) -> IntakeResult:
    """Store an after-call work reported by Genesys as an entry of the outbox. A repetition adds no second entry.

    Args:
        source: ``live`` or ``backfill``.
        due_at: When to ask whether the conversation is over (epoch milliseconds).
        deadline_at: New deadline of the conversation (epoch milliseconds); None keeps the current one.
    """
    terms = _Terms(source=source, now=now, due_at=due_at, deadline_at=deadline_at)
    locks.hold(connection, event.conversation_id)
    return _put(connection, event, _row(event, terms), terms)


def put_all(
    connection: Connection, events: Sequence[AcwEvent], source: str, *, now: int, due_at: int, deadline_at: int | None
) -> list[IntakeResult]:
    """Store events like :func:`put`, one after the other, but the first reports of their works all at once.

    The caller holds the locks of the conversations and of their rows. Nothing here waits. What follows a busy event of
    the same conversation is busy, too, so that their order stays.
    """
    terms = _Terms(source=source, now=now, due_at=due_at, deadline_at=deadline_at, held=True)
    rows = [_row(event, terms) for event in events]
    known = _known(connection, rows)
    results: dict[int, IntakeResult] = {}
    new: list[_NewRow] = []
    # Conversations of an event that is to be stored by itself. So are all that follow.
    apart: set[str] = set()
    for number, (event, row) in enumerate(zip(events, rows, strict=True)):
        result = None if event.conversation_id in apart else _plain_result(event, row, known)
        if result is None:
            apart.add(event.conversation_id)
            continue
        results[number] = result
        if result is IntakeResult.STORED:
            new.append(row)
            known.contents[row["id"]] = row["content"], None
    _store(connection, new, known.states, terms)
    busy: set[str] = set()
    for number, event in enumerate(events):
        if number not in results:
            waits = event.conversation_id in busy
            results[number] = IntakeResult.BUSY if waits else _put(connection, event, rows[number], terms)
            if results[number] is IntakeResult.BUSY:
                busy.add(event.conversation_id)
    return [results[number] for number in range(len(events))]


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
    terms = _Terms(source=SUPPORT_RESULT, now=now, due_at=due_at, deadline_at=deadline_at)
    row = _row(result, terms)
    if not put_new(connection, entry, row):
        first = connection.execute(_LOCKED_ENTRY[False], {"id": row["id"]}).one()
        outcome = _other_content(connection, first, row["content"], now)
        return SupportResultReceipt(result=outcome, record_id=first.id, state=first.state)
    _follow_up(connection, [row], _known(connection, [row]).states, terms)
    return SupportResultReceipt(result=IntakeResult.STORED, record_id=row["id"], state=row["state"])


def _known(connection: Connection, rows: Sequence[_NewRow]) -> _Known:
    known = _Known()
    ids = {"conversations": {row["conversation_id"] for row in rows}, "records": {row["id"] for row in rows}}
    for one, state, has_any, record, content, amended_content in connection.execute(_KNOWN, ids):
        known.states[one] = state
        if has_any:
            known.with_agents.add(one)
        if record is not None:
            known.contents[record] = content, amended_content
    return known


def _row(event: AcwEvent, terms: _Terms) -> _NewRow:
    return {
        "id": event.record_id,
        "conversation_id": event.conversation_id,
        "participant_id": event.participant_id,
        "session_id": event.session_id,
        "user_id": event.user_id,
        "event_time": event.event_time,
        "source": terms.source,
        "content": event.to_json(),
        "stored_at": terms.now,
        "state": "pending",
        "next_at": terms.now,
    }


def _plain_result(event: AcwEvent, row: _NewRow, known: _Known) -> IntakeResult | None:
    """The result of storing an event; None if that depends on other rows than those that are known."""
    if event.conversation_id not in known.states:
        return IntakeResult.UNREGISTERED
    if event.conversation_id in known.with_agents or not event.names_session:
        return None
    if row["id"] not in known.contents:
        return IntakeResult.STORED
    return IntakeResult.DUPLICATE if _is_known(row["content"], known.contents[row["id"]]) else None


def _put(connection: Connection, event: AcwEvent, row: _NewRow, terms: _Terms) -> IntakeResult:
    known = _known(connection, [row])
    if not known.states:
        return IntakeResult.UNREGISTERED
    if known.with_agents or not event.names_session:
        first = counterparts.join(connection, event, terms.source)
        if first is not None:
            return _joined(connection, first, event, row["content"], terms)
    if row["id"] in known.contents:
        return _again(connection, row, known.contents[row["id"]], terms)
    _store(connection, [row], known.states, terms)
    return IntakeResult.STORED


def _store(connection: Connection, new: Sequence[_NewRow], states: Mapping[str, str], terms: _Terms) -> None:
    insert_all(connection, entry, new)
    _follow_up(connection, new, states, terms)


def _follow_up(connection: Connection, new: Sequence[_NewRow], states: Mapping[str, str], terms: _Terms) -> None:
    """Note new entries in the timelines, and have their conversations checked for their end.

    Args:
        states: Those of the conversations that were ever registered.
    """
    registered = {row["conversation_id"] for row in new} & states.keys()
    closed = {one for one in registered if states[one] == CLOSED}
    lines: list[dict[str, Any]] = []
    for row in new:
        one, record_id = row["conversation_id"], row["id"]
        lines.append(timeline.line(one, terms.now, _STORED_AS[terms.source], record_id))
        if one in closed:
            lines.append(timeline.line(one, terms.now, "late_event", record_id))
    timeline.note_rows(connection, lines)
    if closed:
        connection.execute(_LOG, {"conversations": closed})
    if followed := registered - closed:
        dates = {"due": terms.due_at, "deadline": terms.deadline_at}
        connection.execute(_AWAIT_END, {"conversations": followed, **dates})


def _again(connection: Connection, new: _NewRow, contents: _Contents, terms: _Terms) -> IntakeResult:
    if terms.source == BACKFILL or _is_known(new["content"], contents):
        return IntakeResult.DUPLICATE  # most repetitions: they lock nothing
    first = _locked_entry(connection, new["id"], terms)
    if first is None:
        return IntakeResult.BUSY
    if first.source == BACKFILL and first.attempt == 0 and first.content is not None:
        changes = {name: new[name] for name in ("source", "content", "user_id", "event_time")}
        connection.execute(update(entry).where(entry.c.id == first.id).values(changes))
        timeline.note(connection, first.conversation_id, terms.now, _STORED_AS[LIVE], first.id)
        return IntakeResult.REPLACED
    return _other_content(connection, first, new["content"], terms.now)


def _joined(
    connection: Connection, home: Row[*tuple[Any, ...]], event: AcwEvent, content: str, terms: _Terms
) -> IntakeResult:
    """Store an event in an entry of another id: the entry keeps its content, and a live event's is stored beside it."""
    if terms.source == BACKFILL or home.content is None or home.amended_content == content:
        return IntakeResult.DUPLICATE
    first = _locked_entry(connection, home.id, terms)
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
    return _other_content(connection, first, content, terms.now)


def _locked_entry(connection: Connection, record_id: str, terms: _Terms) -> Row[*tuple[Any, ...]] | None:
    """An entry that exists, locked; None if another transaction has locked it and this one must not wait."""
    return connection.execute(_LOCKED_ENTRY[terms.held], {"id": record_id}).first()


def _is_known(content: str, contents: _Contents) -> bool:
    """Whether an entry has this content already. An erased entry counts as having any, so that it gets none back."""
    return contents[0] is None or content in contents


def _other_content(connection: Connection, first: Row[*tuple[Any, ...]], content: str, now: int) -> IntakeResult:
    if _is_known(content, (first.content, first.amended_content)):
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
        make_due(connection, [unreadable.conversation_id], now)
