"""Statements that pair an event of Genesys with the supportResult about the same after-call work.

Invariant: an event and a supportResult about the same after-call work are one entry. They are paired one to one, in
either order. The id that was stored first is the record's; the entry keeps the other one as ``twin_id``.
"""

from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, or_, select, text, update

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.storage.tables import entry

#: Source of the entries that came from a supportResult; all others came from Genesys.
SUPPORT_RESULT = "supportResult"
#: Maximum difference between the times of an event and of its supportResult, in milliseconds.
APART_MS = 120_000

#: The first number distinguishes these locks from other advisory locks; the second is a hash of the conversation's id.
_LOCK = text("SELECT pg_advisory_xact_lock(1416053550, hashtext(:conversation))")

_table = entry.c
_own = entry.alias("own")
_apart = func.abs(_table.event_time - bindparam("at"))
_of_agent = and_(_table.twin_id.is_(None), _table.user_id == bindparam("agent"), _apart <= APART_MS)
_CANDIDATES = (
    select(entry)
    .where(_table.conversation_id == bindparam("conversation"), or_(_table.twin_id == bindparam("id"), _of_agent))
    # An entry that is paired with this id already comes first; otherwise the nearest in time is the counterpart.
    .order_by(_table.twin_id.is_(None), _apart, _table.event_time, _table.id)
    .limit(1)
    .with_for_update(of=entry)
)
_OF_EVENT = _CANDIDATES.where(
    _table.source == SUPPORT_RESULT,
    # An event that has its own entry is never paired with another entry.
    ~exists().where(_own.c.id == bindparam("id")),
)
_OF_RESULT = _CANDIDATES.where(_table.source != SUPPORT_RESULT)

#: Whether a conversation (parameter ``conversation``) has an entry that came from a supportResult.
HAS_RESULT = exists().where(_table.conversation_id == bindparam("conversation"), _table.source == SUPPORT_RESULT)


def lock(connection: Connection, conversation_id: str) -> None:
    """Make other transactions that store something about this conversation wait for the end of this one.

    Without it, an event and a supportResult stored at the same moment would not find each other. SQLite needs no lock,
    because it has one writer at a time.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"conversation": conversation_id})


def of_event(connection: Connection, event: AcwEvent) -> Row[*tuple[Any, ...]] | None:
    """Return the entry of the supportResult about the same after-call work as this event of Genesys."""
    return connection.execute(_OF_EVENT, _bounds(event)).first()


def of_result(connection: Connection, result: AcwEvent) -> Row[*tuple[Any, ...]] | None:
    """Return the entry of the Genesys event about the same after-call work as this supportResult."""
    return connection.execute(_OF_RESULT, _bounds(result)).first()


def pair(connection: Connection, first: Row[*tuple[Any, ...]], twin_id: str) -> None:
    """Store the id of the counterpart that came second, unless the entry has one already."""
    if first.twin_id is None:
        connection.execute(update(entry).where(_table.id == first.id).values(twin_id=twin_id))


def _bounds(event: AcwEvent) -> dict[str, object]:
    return {
        "conversation": event.conversation_id,
        "id": event.record_id,
        "agent": event.user_id,
        "at": event.event_time,
    }
