"""Statements that find the entry of an after-call work that was reported before, by an event or by a supportResult.

Invariant: an event and a supportResult about the same after-call work are one entry. They are paired one to one, in
either order; the id stored first stays the record's, and the entry remembers the other one.
"""

from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, or_, select, text, update

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.storage.tables import entry

#: The source of entries that came through supportResult; all others came from Genesys.
SUPPORT_RESULT = "supportResult"
#: How far apart both doors may date the same after-call work (milliseconds).
APART_MS = 120_000

#: Two numbers: the first tells these locks from other advisory locks, the second is made of the conversation's id.
_LOCK = text("SELECT pg_advisory_xact_lock(1416053550, hashtext(:conversation))")

_table = entry.c
_own = entry.alias("own")
_apart = func.abs(_table.event_time - bindparam("at"))
_of_agent = and_(_table.twin_id.is_(None), _table.user_id == bindparam("agent"), _apart <= APART_MS)
_CANDIDATES = (
    select(entry)
    .where(_table.conversation_id == bindparam("conversation"), or_(_table.twin_id == bindparam("id"), _of_agent))
    # Who is paired already stays so; of the others the nearest in time is the twin.
    .order_by(_table.twin_id.is_(None), _apart, _table.event_time, _table.id)
    .limit(1)
    .with_for_update(of=entry)
)
_OF_EVENT = _CANDIDATES.where(
    _table.source == SUPPORT_RESULT,
    # An event with an entry of its own has no need of another's.
    ~exists().where(_own.c.id == bindparam("id")),
)
_OF_RESULT = _CANDIDATES.where(_table.source != SUPPORT_RESULT)

#: Whether a conversation (parameter ``conversation``) has an entry that an event of Genesys's may belong to.
HAS_RESULT = exists().where(_table.conversation_id == bindparam("conversation"), _table.source == SUPPORT_RESULT)


def lock(connection: Connection, conversation_id: str) -> None:
    """Have whatever else is stored about this conversation wait for the end of this transaction.

    Without it, two doors at the same moment would each see nothing of the other. On SQLite there is one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"conversation": conversation_id})


def of_event(connection: Connection, event: AcwEvent) -> Row[*tuple[Any, ...]] | None:
    """The entry of the supportResult that tells of the same after-call work as this event of Genesys's."""
    return connection.execute(_OF_EVENT, _bounds(event)).first()


def of_result(connection: Connection, result: AcwEvent) -> Row[*tuple[Any, ...]] | None:
    """The entry of the Genesys event that tells of the same after-call work as this supportResult."""
    return connection.execute(_OF_RESULT, _bounds(result)).first()


def pair(connection: Connection, first: Row[*tuple[Any, ...]], twin_id: str) -> None:
    """Remember who came second, unless somebody did before."""
    if first.twin_id is None:
        connection.execute(update(entry).where(_table.id == first.id).values(twin_id=twin_id))


def _bounds(event: AcwEvent) -> dict[str, object]:
    return {
        "conversation": event.conversation_id,
        "id": event.record_id,
        "agent": event.user_id,
        "at": event.event_time,
    }
