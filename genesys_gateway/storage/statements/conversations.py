"""Statements that register, show and close conversations.

Invariant: ``accepted = followed + closed`` after every statement. Only a registration reopens a closed conversation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    String,
    bindparam,
    case,
    literal_column,
    or_,
    select,
    update,
)

from genesys_gateway.runtime.errors import PairedAlready
from genesys_gateway.storage.many_rows import insert_all, is_among, put_new_all
from genesys_gateway.storage.statements import locks, owners, timeline
from genesys_gateway.storage.tables import conversation, entry, registration

_table = conversation.c

PENDING, SUBSCRIBED, CLOSED = "pending", "subscribed", "closed"
LOGGED, NO_ACW, UNRESOLVED = "logged", "no_acw", "unresolved"

#: The condition of the index ``conversation_followed``, word for word, because SQLite uses the index for no other.
FOLLOWED = _table.state != literal_column("'closed'")
#: Its topic is, or is to be, subscribed. Combined with ``FOLLOWED``.
NOT_RELEASED = _table.released_at.is_(None)
_BY_ID = select(conversation).where(_table.id == bindparam("id"))
_RECORDS = (
    select(entry.c.conversation_id, entry.c.id, entry.c.state, entry.c.source, entry.c.amended)
    .where(is_among(entry.c.conversation_id, "ids"))
    .order_by(entry.c.stored_at, entry.c.id)
)

_HAS_RECORD = select(entry.c.id).where(entry.c.conversation_id == _table.id).limit(1).scalar_subquery().is_not(None)

_NOW = bindparam("moment", type_=BigInteger)
_LATEST_DEADLINE = bindparam("latest_deadline", type_=BigInteger)
_LATEST_LOOK = bindparam("latest_look", type_=BigInteger)
_OWNER = bindparam("of", type_=String)
_CLOSE = (
    update(conversation)
    .where(
        _table.id == bindparam("one"),
        FOLLOWED,
        or_(_OWNER.is_(None), _table.owner == _OWNER),
        or_(
            _LATEST_DEADLINE.is_(None),
            _table.deadline_at <= _LATEST_DEADLINE,
            _table.deadline_at > bindparam("furthest", type_=BigInteger),
        ),
        or_(
            _LATEST_LOOK.is_(None),
            _table.looked_at.is_(None),
            _table.looked_at <= _LATEST_LOOK,
            _table.looked_at > _NOW,
        ),
    )
    .values(
        state=CLOSED,
        outcome=case((_HAS_RECORD, LOGGED), else_=bindparam("without_record", type_=String)),
        closed_at=_NOW,
        last_look_at=bindparam("look", type_=BigInteger),
        due_at=None,
        in_doubt=False,
        channel_id=None,
        uncovered_since=None,
        released_at=None,
        next_owner=None,
        offered_at=None,
    )
    .returning(_table.outcome)
)


class Pairing(Enum):
    """State of the conversation before its registration."""

    #: never registered
    NEW = "new"
    #: followed
    KNOWN = "known"
    #: closed or released; it is followed again
    AGAIN = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """The facts about a record that callers outside may read."""

    id: str
    state: str
    source: str
    amended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationView:
    """The facts about a conversation that callers outside may read."""

    interaction_id: str
    #: None once erased
    customer_id: str | None
    #: epoch milliseconds
    created_at: int
    state: str
    outcome: str | None
    records: tuple[RecordView, ...]
    timeline: tuple[timeline.TimelineItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A conversation that is to be registered; times are epoch milliseconds."""

    id: str
    customer_id: str
    now: int
    #: when to ask Genesys about it first
    due_at: int
    #: when to give it up
    deadline_at: int


def register_new(connection: Connection, newcomers: Sequence[Newcomer], owner: str) -> list[ConversationView | None]:
    """Register conversations that were never registered; waits for no lock.

    Args:
        owner: Id of the instance that follows them.

    Returns:
        How callers see each; None if it was registered before, or if another transaction has locked it, or if an
        earlier one of them is the same conversation: nothing was done about it.
    """
    free = locks.hold_free(connection, {one.id for one in newcomers})
    firsts = {one.id: one for one in reversed(newcomers) if one.id in free}
    new = put_new_all(connection, conversation, [_row(one, owner) for one in firsts.values()])
    put = [one for one in firsts.values() if one.id in new]
    insert_all(connection, registration, [{"conversation_id": one.id, "accepted_at": one.now} for one in put])
    timeline.note_rows(connection, [timeline.line(one.id, one.now, "registered") for one in put])
    views = _views_of(connection, {one.id: _row(one, owner) for one in put})
    return [views.get(one.id) if firsts.get(one.id) is one else None for one in newcomers]


def register(connection: Connection, newcomer: Newcomer, owner: str) -> tuple[Pairing, ConversationView]:
    """Pair a conversation with a customer and follow it. A repetition changes only the deadline.

    A closed or released one is followed again.

    Args:
        owner: Id of the instance that follows it; ignored if an instance follows it already.

    Raises:
        PairedAlready: It is paired with another customer, and the delivery of a record has begun.
    """
    while True:
        (view,) = register_new(connection, [newcomer], owner)
        if view is not None:
            return Pairing.NEW, view
        locks.hold(connection, newcomer.id)
        known = connection.execute(_BY_ID.with_for_update(), {"id": newcomer.id}).first()
        if known is not None:  # else it was forgotten in this moment
            return _register_again(connection, known, _row(newcomer, owner))


def _row(newcomer: Newcomer, owner: str) -> dict[str, Any]:
    return {
        "id": newcomer.id,
        "customer_id": newcomer.customer_id,
        "state": PENDING,
        "owner": owner,
        "created_at": newcomer.now,
        "uncovered_since": newcomer.now,
        "in_doubt": True,
        "due_at": newcomer.due_at,
        "deadline_at": newcomer.deadline_at,
    }


def _register_again(
    connection: Connection, known: Row[tuple[object, ...]], new: Mapping[str, Any]
) -> tuple[Pairing, ConversationView]:
    now = new["created_at"]
    changes: dict[str, Any] = {"deadline_at": new["deadline_at"]}
    if known.customer_id != new["customer_id"]:
        changes |= _re_pair(connection, known, new["customer_id"], now)
    if known.state == CLOSED:
        changes |= {key: new[key] for key in ("state", "owner", "uncovered_since", "in_doubt", "due_at")}
        # Answers and coverage from before the close prove nothing about what happens now.
        changes |= {"outcome": None, "asked": 0, "closed_at": None, "last_look_at": None, "unknown_since": None}
        changes |= {"covered_at": None, "looked_at": None, "next_owner": None, "offered_at": None}
    elif known.released_at is not None:
        # Its old coverage stays on record: it had a gap since the release, so it is not a new one to ``cover``.
        changes |= {"released_at": None, "owner": new["owner"], "in_doubt": True}
        changes |= {"next_owner": None, "offered_at": None}
        changes |= {"uncovered_since": min(known.uncovered_since, known.released_at, now)}
        changes |= {"due_at": now, "asked": 0, "unknown_since": None}
    again = known.state == CLOSED or known.released_at is not None
    if again:
        timeline.note(connection, known.id, now, "followed_again")
    connection.execute(update(conversation).where(_table.id == known.id).values(changes))
    return Pairing.AGAIN if again else Pairing.KNOWN, _view_of(connection, known._asdict() | changes)


def _re_pair(connection: Connection, known: Row[tuple[object, ...]], customer_id: str, now: int) -> dict[str, Any]:
    if known.erased_at is None and _delivery_begun(connection, known.id):
        raise PairedAlready("another customer, and delivery has begun")
    timeline.note(connection, known.id, now, "re_paired")
    return {"customer_id": customer_id, "erased_at": None}


def _delivery_begun(connection: Connection, conversation_id: str) -> bool:
    begun = select(entry.c.id).where(entry.c.conversation_id == conversation_id, entry.c.attempt > 0)
    # Records erased with their conversation no longer belong to any customer, so they don't count.
    if timeline.was_erased(connection, conversation_id):
        begun = begun.where(entry.c.erased_at.is_(None))
    return connection.execute(begun.limit(1)).first() is not None


def view(connection: Connection, conversation_id: str) -> ConversationView | None:
    """Return a conversation with its records and timeline; None if it was never registered."""
    row = connection.execute(_BY_ID, {"id": conversation_id}).first()
    return None if row is None else _view_of(connection, row._asdict())


def _view_of(connection: Connection, values: Mapping[str, Any]) -> ConversationView:
    return _views_of(connection, {values["id"]: values})[values["id"]]


def _views_of(connection: Connection, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, ConversationView]:
    """How callers see conversations, by id. Their rows are given."""
    records: dict[str, list[RecordView]] = {one: [] for one in rows}
    for r in connection.execute(_RECORDS, {"ids": list(rows)}):
        records[r.conversation_id].append(RecordView(id=r.id, state=r.state, source=r.source, amended=r.amended))
    timelines = timeline.of_all(connection, list(rows))
    return {
        one: ConversationView(
            interaction_id=one,
            customer_id=values["customer_id"],
            created_at=values["created_at"],
            state=_state_shown(connection, values),
            outcome=values.get("outcome"),
            records=tuple(records[one]),
            timeline=timelines[one],
        )
        for one, values in rows.items()
    }


def _state_shown(connection: Connection, values: Mapping[str, Any]) -> str:
    state: str = values["state"]
    if state == SUBSCRIBED and not owners.is_certain(connection, values["owner"]):
        return PENDING
    return state


def close(
    connection: Connection,
    conversation_id: str,
    *,
    without_record: str,
    now: int,
    last_look_at: int,
    owner: str | None = None,
    latest_deadline: int | None = None,
    furthest_deadline: int | None = None,
    latest_look: int | None = None,
) -> str | None:
    """Close a conversation, unless something newer than the reason for closing has happened.

    For example, it was registered again meanwhile, or an event came.

    Args:
        without_record: The outcome if it has no record; with one it is ``logged``.
        last_look_at: When its last look is due (epoch milliseconds).
        owner: Don't close it if another instance owns it now: that one carries its topic, and asks itself.
        latest_deadline: Don't close it if its deadline is later, because something newer has moved the deadline.
        furthest_deadline: A deadline beyond this was set by a wrong clock, and doesn't prevent the close.
        latest_look: Don't close it if an answer of the live view was taken later, because that answer is newer.

    Returns:
        Its outcome; None if it was not closed, and nothing changed.
    """
    locks.hold(connection, conversation_id)  # wait for an event that is being stored, so that it counts
    facts = {
        "one": conversation_id,
        "of": owner,
        "without_record": without_record,
        "moment": now,
        "look": last_look_at,
        "latest_deadline": latest_deadline,
        "furthest": furthest_deadline,
        "latest_look": latest_look,
    }
    outcome: str | None = connection.execute(_CLOSE, facts).scalar()
    if outcome is not None:
        timeline.note(connection, conversation_id, now, "closed", outcome)
    return outcome
