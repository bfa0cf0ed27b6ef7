"""Statements that find the entry of an after-call work that was reported before under another id.

Invariant: events with and without a session and supportResults about the same after-call work are one entry. The id
that was stored first is the record's; each other report is a row of ``counterpart``, which names the entry.
"""

from typing import Any

from sqlalchemy import Connection, Row, bindparam, exists, false, or_, select, true, union_all

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.pairing import Kind, Report, place
from genesys_gateway.storage.portable import insert_for
from genesys_gateway.storage.tables import conversation, counterpart, entry

#: Source of the entries that came from a supportResult; all others came from Genesys.
SUPPORT_RESULT = Kind.RESULT.value

_NAMED = ("participant_id", "session_id", "user_id", "event_time")
_of_conversation = entry.c.conversation_id == bindparam("conversation")
_own_reports = select(
    true().label("own"),
    entry.c.id,
    entry.c.id.label("entry_id"),
    entry.c.source.label("kind"),
    *(entry.c[name] for name in _NAMED),
).where(_of_conversation)
_other_reports = select(
    false(),
    counterpart.c.id,
    counterpart.c.entry_id,
    counterpart.c.kind,
    *(counterpart.c[name] for name in _NAMED),
).where(counterpart.c.conversation_id == bindparam("conversation"))
_REPORTS = union_all(_own_reports, _other_reports)
_ENTRY = select(entry).where(entry.c.id == bindparam("id"))

#: Whether the conversation of the enclosing query has an entry whose own report names no session. If it has none, an
#: event that names its session is the first report of its work.
HAS_ANY = (
    exists()
    .where(
        entry.c.conversation_id == conversation.c.id,
        or_(entry.c.session_id.is_(None), entry.c.participant_id.is_(None)),
    )
    .correlate(conversation)
)


def join(connection: Connection, event: AcwEvent, source: str) -> Row[*tuple[Any, ...]] | None:
    """Store that an event or supportResult is about the after-call work of another entry, if it is.

    A repetition changes nothing. The caller holds the lock of the conversation.

    Args:
        source: ``live``, ``backfill`` or ``supportResult``.

    Returns:
        That entry, which is not locked; None if the work is its own: its entry is to be made, or has been made.
    """
    new = _report(event.record_id, _kind(source, event), event)
    rows = connection.execute(_REPORTS, {"conversation": event.conversation_id}).all()
    own = {row.id: _report(row.id, _kind(row.kind, row), row) for row in rows if row.own}
    if new.id in own and own[new.id].kind is new.kind:
        return None
    # A row of ``counterpart`` outweighs an entry's own report, which has moved to another entry then.
    homes = {(one.id, one.kind): (one, one.id) for one in own.values()}
    homes |= {
        (row.id, Kind(row.kind)): (_report(row.id, Kind(row.kind), row), row.entry_id) for row in rows if not row.own
    }
    if (new.id, new.kind) in homes:
        return _entry(connection, homes[new.id, new.kind][1])
    works: dict[str, list[Report]] = {one: [] for one in own}
    for report, entry_id in homes.values():
        works[entry_id].append(report)
    moves = place(new, works)
    if not moves and new.id in own:
        moves = [(new, new.id)]  # the ids of two entries can't be equal
    for report, entry_id in moves:
        _put(connection, report, entry_id, event.conversation_id)
    return _entry(connection, moves[0][1]) if moves else None


def _put(connection: Connection, report: Report, entry_id: str, conversation_id: str) -> None:
    row = insert_for(connection, counterpart).values(
        id=report.id,
        kind=report.kind.value,
        entry_id=entry_id,
        conversation_id=conversation_id,
        participant_id=report.participant_id,
        session_id=report.session_id,
        user_id=report.user_id,
        event_time=report.event_time,
    )
    moved = row.on_conflict_do_update(index_elements=["id", "kind"], set_={"entry_id": row.excluded.entry_id})
    connection.execute(moved)


def _entry(connection: Connection, entry_id: str) -> Row[*tuple[Any, ...]]:
    return connection.execute(_ENTRY, {"id": entry_id}).one()


def _report(record_id: str, kind: Kind, named: Any) -> Report:
    return Report(
        id=record_id,
        kind=kind,
        participant_id=named.participant_id,
        session_id=named.session_id,
        user_id=named.user_id,
        event_time=named.event_time,
    )


def _kind(source: str, named: Any) -> Kind:
    """The kind of a report, from its source and what it names."""
    if source == SUPPORT_RESULT:
        return Kind.RESULT
    return Kind.SESSION if named.participant_id and named.session_id else Kind.AGENT
