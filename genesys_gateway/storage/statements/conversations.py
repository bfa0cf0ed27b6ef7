"""Statements about conversations: registered, covered, closed.

Law: ``accepted = followed + closed`` after every statement; a closed conversation is opened only by a registration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    case,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    union_all,
    update,
)

from genesys_gateway.runtime.errors import PairedAlready
from genesys_gateway.storage.portable import put_new
from genesys_gateway.storage.statements import counterparts, timeline
from genesys_gateway.storage.tables import conversation, entry, registration

_table = conversation.c

PENDING, SUBSCRIBED, CLOSED = "pending", "subscribed", "closed"
LOGGED, NO_ACW, UNRESOLVED = "logged", "no_acw", "unresolved"

#: Spelled so that the index on the state serves.
FOLLOWED = _table.state.in_((PENDING, SUBSCRIBED))
_BY_ID = select(conversation).where(_table.id == bindparam("id"))
_REGISTRATION = insert(registration)
_RECORDS = (
    select(entry.c.id, entry.c.state, entry.c.source, entry.c.amended)
    .where(entry.c.conversation_id == bindparam("id"))
    .order_by(entry.c.stored_at, entry.c.id)
)
# One statement: on PostgreSQL a second one would count what was registered since the first. What has no state is all.
_BALANCE = union_all(
    select(null(), func.count(), literal(0)).select_from(registration),
    select(_table.state, func.count(), func.sum(_table.missed)).group_by(_table.state),
)


class Pairing(Enum):
    """What a registration was to the conversation."""

    #: its first
    NEW = "new"
    #: it was followed already
    KNOWN = "known"
    #: it was closed, and is followed again
    AGAIN = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """What others may know of one record."""

    id: str
    state: str
    source: str
    amended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationView:
    """What others may know of one conversation."""

    interaction_id: str
    #: None once erased
    customer_id: str | None
    #: epoch milliseconds
    created_at: int
    state: str
    outcome: str | None
    records: tuple[RecordView, ...]
    timeline: tuple[timeline.TimelineItem, ...]


def register(
    connection: Connection,
    conversation_id: str,
    customer_id: str,
    *,
    owner: str,
    now: int,
    due_at: int,
    deadline_at: int,
) -> tuple[Pairing, ConversationView]:
    """Pair a conversation with a customer and have it followed; a repetition changes nothing but the deadline.

    Args:
        owner: The instance that shall follow it, unless another one does already.

    Raises:
        PairedAlready: It is paired with another customer, and the delivery of a record has begun.
    """
    fresh = {
        "id": conversation_id,
        "customer_id": customer_id,
        "state": PENDING,
        "owner": owner,
        "created_at": now,
        "uncovered_since": now,
        "in_doubt": True,
        "due_at": due_at,
        "deadline_at": deadline_at,
    }
    if put_new(connection, conversation, fresh):
        connection.execute(_REGISTRATION, {"conversation_id": conversation_id, "accepted_at": now})
        timeline.note(connection, conversation_id, now, "registered")
        return Pairing.NEW, _shown(connection, fresh)
    counterparts.lock(connection, conversation_id)
    known = connection.execute(_BY_ID.with_for_update(), {"id": conversation_id}).one()
    changes: dict[str, Any] = {"deadline_at": deadline_at}
    if known.customer_id != customer_id:
        changes |= _re_pair(connection, known, customer_id, now)
    if known.state == CLOSED:
        changes |= {key: fresh[key] for key in ("state", "owner", "uncovered_since", "in_doubt", "due_at")}
        # Nothing that was asked or heard before the close speaks for what happens now.
        changes |= {"outcome": None, "asked": 0, "closed_at": None, "last_look_at": None, "unknown_since": None}
        changes |= {"covered_at": None, "looked_at": None}
        timeline.note(connection, conversation_id, now, "followed_again")
    connection.execute(update(conversation).where(_table.id == conversation_id).values(changes))
    pairing = Pairing.AGAIN if known.state == CLOSED else Pairing.KNOWN
    return pairing, _shown(connection, known._asdict() | changes)


def _re_pair(connection: Connection, known: Row[tuple[object, ...]], customer_id: str, now: int) -> dict[str, Any]:
    if known.erased_at is None and _delivery_begun(connection, known.id):
        raise PairedAlready("another customer, and delivery has begun")
    timeline.note(connection, known.id, now, "re_paired")
    return {"customer_id": customer_id, "erased_at": None}


def _delivery_begun(connection: Connection, conversation_id: str) -> bool:
    begun = select(entry.c.id).where(entry.c.conversation_id == conversation_id, entry.c.attempt > 0)
    # What it had before it was erased is nothing of the customer that it was paired with then.
    if timeline.was_erased(connection, conversation_id):
        begun = begun.where(entry.c.erased_at.is_(None))
    return connection.execute(begun.limit(1)).first() is not None


def view(connection: Connection, conversation_id: str) -> ConversationView | None:
    """A conversation with its records and timeline; None when it was never registered."""
    row = connection.execute(_BY_ID, {"id": conversation_id}).first()
    return None if row is None else _shown(connection, row._asdict())


def _shown(connection: Connection, values: Mapping[str, Any]) -> ConversationView:
    records = connection.execute(_RECORDS, {"id": values["id"]})
    return ConversationView(
        interaction_id=values["id"],
        customer_id=values["customer_id"],
        created_at=values["created_at"],
        state=values["state"],
        outcome=values.get("outcome"),
        records=tuple(RecordView(id=r.id, state=r.state, source=r.source, amended=r.amended) for r in records),
        timeline=timeline.of(connection, values["id"]),
    )


def cover(connection: Connection, ids: Sequence[str], *, channel_id: str, owner: str, now: int) -> None:
    """Their topics are confirmed on an open socket. Whoever was not covered before is due: what did the gap hide?"""
    pending = select(_table.id).where(_table.id.in_(ids), _table.state == PENDING)
    newly = list(connection.execute(pending).scalars())
    change = update(conversation).where(_table.id.in_(ids), FOLLOWED)
    newly_covered = _table.state == PENDING
    connection.execute(
        change.values(
            channel_id=channel_id,
            owner=owner,
            covered_at=case((newly_covered, now), else_=_table.covered_at),
            due_at=case((newly_covered, now), else_=_table.due_at),
            asked=case((newly_covered, 0), else_=_table.asked),
            uncovered_since=None,
            state=SUBSCRIBED,
        )
    )
    timeline.note_all(connection, newly, now, "subscribed")


def uncover(connection: Connection, ids: Sequence[str], *, since: int, now: int) -> None:
    """Their events may have been missed since that moment (epoch milliseconds)."""
    covered = select(_table.id).where(_table.id.in_(ids), _table.state == SUBSCRIBED)
    lost = list(connection.execute(covered).scalars())
    if lost:
        # On PostgreSQL one of them may have been closed since it was read.
        change = update(conversation).where(_table.id.in_(lost), _table.state == SUBSCRIBED)
        connection.execute(change.values(state=PENDING, uncovered_since=since, in_doubt=True, channel_id=None))
        timeline.note_all(connection, lost, now, "uncovered")


def make_due(connection: Connection, conversation_id: str, now: int) -> None:
    """Something about it could not be read: ask Genesys now. Nothing happens to a closed one."""
    change = update(conversation).where(_table.id == conversation_id, FOLLOWED)
    connection.execute(change.values(_gap_until(now)))


def make_all_due(connection: Connection, now: int) -> None:
    """Frames were dropped, and nobody knows whose they were."""
    connection.execute(update(conversation).where(FOLLOWED).values(_gap_until(now)))


def _gap_until(now: int) -> dict[str, Any]:
    """What was lost, was lost until now: an answer from before, or analytics that lag, say nothing of it."""
    covered_at = case((_table.state == SUBSCRIBED, now), else_=_table.covered_at)
    return {"due_at": now, "in_doubt": True, "asked": 0, "covered_at": covered_at}


def close(
    connection: Connection,
    conversation_id: str,
    *,
    without_record: str,
    now: int,
    last_look_at: int,
    latest_deadline: int | None = None,
    furthest_deadline: int | None = None,
    latest_look: int | None = None,
) -> str | None:
    """Follow it no longer. With a record it ends as ``logged``, else as ``without_record`` says.

    Nothing may be newer than what closes it: somebody may have registered it again, or it was heard of.

    Args:
        latest_deadline: A later one was set by something newer.
        furthest_deadline: One that is later still was set by a wrong clock, and forbids nothing.
        latest_look: A live answer that was taken later knows better.

    Returns:
        How it ended; None when it is not closed by this, and nothing changed.
    """
    counterparts.lock(connection, conversation_id)  # an event that is being stored counts
    has_record = select(entry.c.id).where(entry.c.conversation_id == conversation_id).limit(1)
    outcome = LOGGED if connection.execute(has_record).first() else without_record
    change = update(conversation).where(_table.id == conversation_id, FOLLOWED)
    if latest_deadline is not None:
        wrong = false() if furthest_deadline is None else _table.deadline_at > furthest_deadline
        change = change.where(or_(_table.deadline_at <= latest_deadline, wrong))
    if latest_look is not None:
        earlier = or_(_table.looked_at <= latest_look, _table.looked_at > now)
        change = change.where(or_(_table.looked_at.is_(None), earlier))
    closed = connection.execute(
        change.values(
            state=CLOSED,
            outcome=outcome,
            closed_at=now,
            last_look_at=last_look_at,
            due_at=None,
            in_doubt=False,
            channel_id=None,
            uncovered_since=None,
        )
    )
    if not closed.rowcount:
        return None
    timeline.note(connection, conversation_id, now, "closed", outcome)
    return outcome


def due_for_last_look(connection: Connection, *, now: int, furthest: int, limit: int) -> list[str]:
    """Closed ones whose last look is due, longest due first. A date beyond ``furthest`` was set by a wrong clock."""
    query = select(_table.id).where(_table.state == CLOSED).order_by(_table.last_look_at)
    found = connection.execute(query.where(_table.last_look_at <= now).limit(limit)).scalars().all()
    lost = query.where(_table.last_look_at > furthest).limit(limit - len(found))
    return [*found, *connection.execute(lost).scalars()]


def look_later(connection: Connection, ids: Sequence[str], *, at: int, closed_after: int) -> None:
    """There was no answer about these: the last look is put off, or given up for those that were closed before."""
    change = update(conversation).where(_table.id.in_(ids), _table.state == CLOSED)
    connection.execute(change.values(last_look_at=case((_table.closed_at > closed_after, at), else_=None)))


def looked_last(connection: Connection, conversation_id: str, missed: int) -> None:
    """The last look was taken, and found so many after-call works that nobody knew of."""
    change = update(conversation).where(_table.id == conversation_id)
    connection.execute(change.values(last_look_at=None, missed=_table.missed + missed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Whether everything that was promised is still in hand."""

    #: conversations ever answered with 2xx
    accepted: int
    #: conversations in each state
    states: Mapping[str, int]
    #: after-call works that only the last look found
    missed: int

    @property
    def unaccounted(self) -> int:
        """What the promise was broken for; 0 unless there is a bug."""
        return self.accepted - sum(self.states.values()) + self.missed


def balance(connection: Connection) -> Balance:
    """The balance as of one moment."""
    rows = connection.execute(_BALANCE).all()
    counts = {row[0]: row[1] for row in rows}
    return Balance(accepted=counts.pop(None), states=counts, missed=sum(int(row[2]) for row in rows))
