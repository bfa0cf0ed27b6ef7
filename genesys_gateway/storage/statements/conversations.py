"""Statements that register, cover and close conversations.

Invariant: ``accepted = followed + closed`` after every statement. Only a registration reopens a closed conversation.
"""

from collections import Counter
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
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from genesys_gateway.runtime.errors import PairedAlready
from genesys_gateway.storage.portable import put_new
from genesys_gateway.storage.statements import counterparts, tally, timeline
from genesys_gateway.storage.statements.due_dates import rows_due
from genesys_gateway.storage.tables import conversation, entry, registration

_table = conversation.c

PENDING, SUBSCRIBED, CLOSED = "pending", "subscribed", "closed"
LOGGED, NO_ACW, UNRESOLVED = "logged", "no_acw", "unresolved"

#: A registration is covered within this time (milliseconds) as a rule. A talk that was registered at its start has no
#: finished after-call work then, so the first question about it is not urgent. After a longer wait it may be.
_SHORT_WAIT_MS = 10_000

#: The condition of the index ``conversation_followed``, word for word, because SQLite uses the index for no other.
FOLLOWED = _table.state != literal_column("'closed'")
#: Its topic is, or is to be, subscribed. Combined with ``FOLLOWED``.
NOT_RELEASED = _table.released_at.is_(None)
_BY_ID = select(conversation).where(_table.id == bindparam("id"))
_REGISTRATION = insert(registration)
_RECORDS = (
    select(entry.c.id, entry.c.state, entry.c.source, entry.c.amended)
    .where(entry.c.conversation_id == bindparam("id"))
    .order_by(entry.c.stored_at, entry.c.id)
)
# A single statement, because on PostgreSQL a second one would also count registrations made since the first. Rows are
# counted by triggers; only those of followed and released conversations and of missed works, which are few, are counted
# here.
_BALANCE = union_all(
    select(literal("accepted"), tally.total("registrations", "forgotten_registrations")),
    select(literal("conversations"), tally.total("conversations", "forgotten_conversations")),
    select(literal("missed"), tally.total("forgotten_missed")),
    select(literal("missed"), func.coalesce(func.sum(_table.missed), 0)).where(_table.missed > literal_column("0")),
    select(literal("released"), func.count()).where(_table.released_at.is_not(None)),
    select(_table.state, func.count()).where(FOLLOWED).group_by(_table.state),
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
    """Pair a conversation with a customer and follow it. A repetition changes only the deadline.

    A closed or released one is followed again.

    Args:
        owner: Id of the instance that follows it; ignored if an instance follows it already.
        due_at: When to ask Genesys about it first (epoch milliseconds).
        deadline_at: When to give it up (epoch milliseconds).

    Raises:
        PairedAlready: It is paired with another customer, and the delivery of a record has begun.
    """
    new = {
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
    while not put_new(connection, conversation, new):
        counterparts.lock(connection, conversation_id)
        known = connection.execute(_BY_ID.with_for_update(), {"id": conversation_id}).first()
        if known is not None:  # else it was forgotten in this moment
            return _register_again(connection, known, new)
    connection.execute(_REGISTRATION, {"conversation_id": conversation_id, "accepted_at": now})
    timeline.note(connection, conversation_id, now, "registered")
    return Pairing.NEW, _view_of(connection, new)


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
        changes |= {"covered_at": None, "looked_at": None}
    elif known.released_at is not None:
        # Its old coverage stays on record: it had a gap since the release, so it is not a new one to ``cover``.
        changes |= {"released_at": None, "owner": new["owner"], "in_doubt": True}
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


def cover(
    connection: Connection, ids: Sequence[str], *, channel_id: str, owner: str, now: int, fresh_due_at: int
) -> None:
    """Mark conversations as covered: their topics are confirmed on an open socket.

    Those that were not covered before become due, because events may have been missed in the gap. A released one stays
    as it is, because its topic was confirmed before the release.

    Args:
        fresh_due_at: When to ask about those covered for the first time and at once after their registration (epoch
            milliseconds); about all others it is asked now.
    """
    was_pending = _table.state == PENDING
    pending = select(_table.id).where(_table.id.in_(ids), was_pending, NOT_RELEASED)
    newly_covered = list(connection.execute(pending).scalars())
    change = update(conversation).where(_table.id.in_(ids), FOLLOWED, NOT_RELEASED)
    fresh = was_pending & _table.covered_at.is_(None) & (_table.uncovered_since > now - _SHORT_WAIT_MS)
    connection.execute(
        change.values(
            channel_id=channel_id,
            owner=owner,
            covered_at=case((was_pending, now), else_=_table.covered_at),
            due_at=case((fresh, fresh_due_at), (was_pending, now), else_=_table.due_at),
            asked=case((was_pending, 0), else_=_table.asked),
            uncovered_since=None,
            state=SUBSCRIBED,
        )
    )
    timeline.note_all(connection, newly_covered, now, "subscribed")


def uncover(connection: Connection, ids: Sequence[str], *, since: int, now: int) -> None:
    """Mark conversations as uncovered: their events may have been missed since ``since`` (epoch milliseconds)."""
    covered = select(_table.id).where(_table.id.in_(ids), _table.state == SUBSCRIBED)
    uncovered = list(connection.execute(covered).scalars())
    if uncovered:
        # The state is checked again because on PostgreSQL one of them may have been closed since it was read.
        change = update(conversation).where(_table.id.in_(uncovered), _table.state == SUBSCRIBED)
        connection.execute(change.values(state=PENDING, uncovered_since=since, in_doubt=True, channel_id=None))
        timeline.note_all(connection, uncovered, now, "uncovered")


def make_due(connection: Connection, conversation_id: str, now: int) -> None:
    """Make a conversation due now, because an event about it could not be read. A closed one stays closed.

    A released one stays released; the answer decides whether it is over after all.
    """
    change = update(conversation).where(_table.id == conversation_id, FOLLOWED)
    connection.execute(change.values(_gap_until(now)))


def make_all_due(connection: Connection, now: int) -> None:
    """Make all followed conversations due now, because frames about unknown conversations were dropped."""
    connection.execute(update(conversation).where(FOLLOWED).values(_gap_until(now)))


def _gap_until(now: int) -> dict[str, Any]:
    """Changes for a gap that ends now. An answer from before, or from analytics that lag, can't clear its doubt."""
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
    """Close a conversation, unless something newer than the reason for closing has happened.

    For example, it was registered again meanwhile, or an event came.

    Args:
        without_record: The outcome if it has no record; with one it is ``logged``.
        last_look_at: When its last look is due (epoch milliseconds).
        latest_deadline: Don't close it if its deadline is later, because something newer has moved the deadline.
        furthest_deadline: A deadline beyond this was set by a wrong clock, and doesn't prevent the close.
        latest_look: Don't close it if an answer of the live view was taken later, because that answer is newer.

    Returns:
        Its outcome; None if it was not closed, and nothing changed.
    """
    counterparts.lock(connection, conversation_id)  # wait for an event that is being stored, so that it counts
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
            released_at=None,
        )
    )
    if not closed.rowcount:
        return None
    timeline.note(connection, conversation_id, now, "closed", outcome)
    return outcome


def due_for_last_look(connection: Connection, *, now: int, furthest: int, limit: int) -> list[str]:
    """Return closed conversations whose last look is due, longest due first.

    A date beyond ``furthest`` was set by a wrong clock, and is due now.
    """
    # The index on the date holds few rows; one on the state would hold every conversation that was ever closed.
    query = select(_table.id).where(_table.state == CLOSED)
    return [row.id for row in rows_due(connection, query, _table.last_look_at, now=now, furthest=furthest, limit=limit)]


def postpone_last_look(connection: Connection, ids: Sequence[str], *, at: int, closed_after: int) -> None:
    """Postpone a last look that got no answer to ``at``; give it up if the conversation closed before ``closed_after``.

    All times are epoch milliseconds.
    """
    change = update(conversation).where(_table.id.in_(ids), _table.state == CLOSED)
    connection.execute(change.values(last_look_at=case((_table.closed_at > closed_after, at), else_=None)))


def note_last_look(connection: Connection, conversation_id: str, missed: int, *, concluded: bool = True) -> None:
    """Note that the last look was taken and found ``missed`` after-call works without an entry; maybe not the last."""
    change = update(conversation).where(_table.id == conversation_id)
    at = None if concluded else _table.last_look_at
    connection.execute(change.values(last_look_at=at, missed=_table.missed + missed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Counts that show whether every accepted conversation is still accounted for."""

    #: conversations whose registration was ever answered with 2xx, also those that are forgotten
    accepted: int
    #: conversations in each state; forgotten ones were closed
    states: Mapping[str, int]
    #: after-call works that only the last look found
    missed: int
    #: pending conversations whose topic was given back
    released: int = 0

    @property
    def uncovered(self) -> int:
        """Followed conversations whose topic should be subscribed and is not."""
        return self.states.get(PENDING, 0) - self.released

    @property
    def closed(self) -> int:
        """Conversations that are followed no longer."""
        return self.states.get(CLOSED, 0)

    @property
    def followed(self) -> int:
        """Conversations that are followed, covered or not."""
        return sum(self.states.values()) - self.closed

    @property
    def unaccounted(self) -> int:
        """Lost conversations and missed after-call works; 0 unless there is a bug."""
        return self.accepted - sum(self.states.values()) + self.missed


def balance(connection: Connection) -> Balance:
    """Return the balance at one moment. It takes no longer the more conversations are closed."""
    counts: Counter[str] = Counter()
    for name, count in connection.execute(_BALANCE):
        counts[name] += int(count)
    accepted, missed, known = counts.pop("accepted"), counts.pop("missed"), counts.pop("conversations")
    released = counts.pop("released")
    counts[CLOSED] = known - counts.total()
    states = {state: n for state, n in counts.items() if n}
    return Balance(accepted=accepted, states=states, missed=missed, released=released)
