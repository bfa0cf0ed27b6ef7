"""Statements about questions to Genesys: which conversations are due, and what an answer changes.

Invariant: only the answer to the question that a date was set for can postpone that date, and only while the instance
that asked still owns the conversation: otherwise nothing is changed, and the new owner asks itself.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Case, Connection, Row, Update, bindparam, case, false, func, literal_column, or_, select, update

from genesys_gateway.runtime.clock import furthest_date
from genesys_gateway.storage.statements import locks, timeline
from genesys_gateway.storage.statements.conversations import FOLLOWED, NOT_RELEASED, PENDING, SUBSCRIBED
from genesys_gateway.storage.statements.due_dates import rows_due
from genesys_gateway.storage.tables import conversation, entry

_table = conversation.c

#: With a limit instead of EXISTS, because for that PostgreSQL may read all entries that there are.
_HAS_RECORD = select(entry.c.id).where(entry.c.conversation_id == _table.id).limit(1).scalar_subquery().is_not(None)
#: The condition of the index ``conversation_doubtful``, term by term word for word.
_DOUBTFUL = literal_column("conversation.in_doubt") & (_table.state == literal_column("'subscribed'"))
#: Maximum number of conversations in doubt that are read to find those without a record. Thousands may be in doubt.
_DOUBTFUL_READ = 500
_ROWS = select(conversation, _HAS_RECORD.label("has_record")).where(FOLLOWED)

#: A closed conversation has no ``due_at``, and a followed one has no ``last_look_at``, which is for any instance.
_NEXT_DATES = select(
    select(func.min(_table.due_at)).where(_table.owner == bindparam("owner"), _table.due_at.is_not(None)).label("own"),
    select(func.min(_table.last_look_at)).where(_table.last_look_at.is_not(None)).label("any"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A followed conversation that is due for a question. Times are epoch milliseconds."""

    id: str
    #: the instance that asks
    owner: str
    covered_at: int | None
    uncovered_since: int | None
    in_doubt: bool
    asked: int
    #: when the question was due, as stored when this was read
    due_at: int
    deadline_at: int
    unknown_since: int | None
    #: number of questions past the deadline that the live view did not answer
    unanswered: int = 0
    #: when the first of them was asked
    unanswered_since: int | None = None
    #: when the latest answer of the live view was taken
    looked_at: int | None = None
    #: since when its topic is given back; None while it is, or is to be, subscribed
    released_at: int | None = None
    #: whether any after-call work of it has an entry in the outbox
    has_record: bool = False


def due(connection: Connection, *, owner: str, now: int, furthest: int, limit: int) -> list[Due]:
    """Return conversations of an instance that are due for a question, longest due first.

    A date beyond ``furthest`` was set by a wrong clock, and is due now.
    """
    own = _ROWS.where(_table.owner == owner)
    return [_due(row) for row in rows_due(connection, own, _table.due_at, now=now, furthest=furthest, limit=limit)]


def doubtful(connection: Connection, *, owner: str, now: int, limit: int) -> list[Due]:
    """Return covered conversations of an instance in doubt for which no live answer was taken since the gap.

    Conversations without a record come first, because the gap is more likely to have hidden an event of theirs; then
    those covered first. Of many, only the 500 covered first are compared.
    """
    looked_at = _table.looked_at
    # An answer dated in the future was dated by a wrong clock, and may be from before the gap.
    unanswered = or_(looked_at.is_(None), looked_at < _table.covered_at, looked_at > furthest_date(now))
    read = (
        _ROWS.where(_table.owner == owner, _DOUBTFUL, unanswered)
        .order_by(_table.covered_at)
        .limit(_DOUBTFUL_READ)
        .subquery()
    )
    ordered = select(read).order_by(read.c.has_record, read.c.covered_at)
    return [_due(row) for row in connection.execute(ordered.limit(limit))]


def _due(row: Row[tuple[object, ...]]) -> Due:
    return Due(
        id=row.id,
        owner=row.owner,
        covered_at=row.covered_at,
        uncovered_since=row.uncovered_since,
        in_doubt=row.in_doubt,
        asked=row.asked,
        due_at=row.due_at,
        deadline_at=row.deadline_at,
        unknown_since=row.unknown_since,
        unanswered=row.unanswered,
        unanswered_since=row.unanswered_since,
        looked_at=row.looked_at,
        released_at=row.released_at,
        has_record=row.has_record,
    )


def next_due(connection: Connection, owner: str) -> int | None:
    """Return when an instance's next question, or any last look, is due (epoch milliseconds); None if there is none."""
    dates = connection.execute(_NEXT_DATES, {"owner": owner}).one()
    return min((at for at in dates if at is not None), default=None)


def _own(conversation_id: str, owner: str) -> Update:
    """Return a change of a followed conversation that this instance owns still."""
    return update(conversation).where(_table.id == conversation_id, _table.owner == owner, FOLLOWED)


def postpone(connection: Connection, one: Due, *, now: int, due_at: int, looked_at: int | None) -> None:
    """Postpone a question that Genesys itself could not answer, without counting it.

    A date that was set meanwhile is kept.

    Args:
        looked_at: When the live view failed to answer (epoch milliseconds), so that other conversations come first;
            None if it was not asked.
    """
    same_date = _table.due_at == one.due_at
    connection.execute(
        _own(one.id, one.owner).values(
            due_at=case((same_date, due_at), else_=_table.due_at),
            looked_at=_table.looked_at if looked_at is None else looked_at,
            covered_at=_covered_by(now),
        )
    )


def ask_again(
    connection: Connection,
    one: Due,
    *,
    now: int,
    asked_at: int,
    live: bool,
    due_at: int,
    deadline_at: int,
    clears_doubt: bool,
    counted: bool,
    unknown_since: int | None,
    unanswered: tuple[int, int] | None = None,
) -> None:
    """Store what an answer changes in a conversation that stays followed. A failure of its own counts as an answer.

    A released one stays released.

    A doubt is cleared only if the coverage is still the one the question was asked under, because a new gap needs a new
    answer. A date that was set meanwhile, or that was not reached yet when the question was asked, is never postponed.

    Args:
        counted: Whether the question counts as a routine one, each of which doubles the period until the next.
        unanswered: Number of unanswered questions past the deadline, and when the first was asked; None to leave it.
    """
    count, since = unanswered or (_table.unanswered, _table.unanswered_since)
    same = (_table.state == SUBSCRIBED) & (_table.covered_at == one.covered_at)
    answered = (_table.due_at == one.due_at) & (_table.due_at <= asked_at)
    connection.execute(
        _own(one.id, one.owner).values(
            asked=case((answered, _table.asked + 1), else_=_table.asked) if counted else _table.asked,
            due_at=case((answered | (_table.due_at > due_at), due_at), else_=_table.due_at),
            deadline_at=case((_table.deadline_at > deadline_at, _table.deadline_at), else_=deadline_at),
            in_doubt=case((same, false()), else_=_table.in_doubt) if clears_doubt else _table.in_doubt,
            unknown_since=unknown_since,
            looked_at=asked_at if live else _table.looked_at,
            unanswered=count,
            unanswered_since=since,
            covered_at=_covered_by(now),
        )
    )


def release(
    connection: Connection,
    conversation_id: str,
    *,
    owner: str,
    now: int,
    due_at: int,
    asked_at: int,
    known_until: int,
    ended_at: int,
    follow_ms: int,
) -> bool:
    """Release a conversation that analytics show over: its topic can be given to others. It stays followed.

    One that waits for a place is released, too, and stops waiting. Nothing is changed if something newer has
    happened: an event since the question, or a registration after the end that analytics need not know yet. Nor is it
    if the live view was asked after the end: that answer did not show it over, or it would have been closed then.

    Args:
        owner: The instance that asked, and gives the topic back; nothing is changed if another owns it now.
        due_at: When an answer can prove the end (epoch milliseconds).
        asked_at: When the question was asked (epoch milliseconds).
        known_until: The moment up to which the answer is complete (epoch milliseconds).
        ended_at: The end that the answer shows (epoch milliseconds).
        follow_ms: Time from a registration or event to the deadline that it sets, in milliseconds.

    Returns:
        Whether it was released now.
    """
    locks.hold(connection, conversation_id)  # wait for an event that is being stored: it moves the deadline
    changed_at = _table.deadline_at - follow_ms
    stored_then = select(entry.c.id).where(entry.c.conversation_id == conversation_id, entry.c.stored_at == changed_at)
    not_newer = or_(
        changed_at <= max(ended_at, known_until),
        (changed_at <= asked_at) & stored_then.limit(1).scalar_subquery().is_not(None),
        changed_at > furthest_date(now),  # set by a wrong clock
    )
    # A look dated in the future was dated by a wrong clock, and proves nothing.
    not_seen_after = or_(_table.looked_at.is_(None), _table.looked_at <= ended_at, _table.looked_at > now)
    was_covered = _table.state == SUBSCRIBED
    released = connection.execute(
        _own(conversation_id, owner)
        .where(NOT_RELEASED, not_newer, not_seen_after)
        .values(
            state=PENDING,
            released_at=now,
            channel_id=None,
            next_owner=None,
            offered_at=None,
            uncovered_since=case((was_covered, now), else_=_table.uncovered_since),
            due_at=due_at,
        )
    )
    if not released.rowcount:
        return False
    timeline.note(connection, conversation_id, now, "released")
    return True


def take_up(connection: Connection, conversation_id: str, *, owner: str, now: int, due_at: int) -> bool:
    """Follow a released conversation again that is not over after all. The caller has its topic subscribed.

    It has been in doubt since the release.

    Args:
        owner: The instance that asked, and has its topic subscribed; nothing is changed if another owns it now.
        due_at: When to ask Genesys about it again (epoch milliseconds).

    Returns:
        Whether it was released until now; otherwise nothing is changed.
    """
    change = _own(conversation_id, owner).where(_table.released_at.is_not(None))
    taken_up = connection.execute(change.values(released_at=None, in_doubt=True, due_at=due_at, asked=0))
    if not taken_up.rowcount:
        return False
    timeline.note(connection, conversation_id, now, "followed_again")
    return True


def _covered_by(now: int) -> Case[Any]:
    """Return ``covered_at``, but at most ``now``: if a wrong clock dated it later, no answer could be later than it."""
    return case((_table.covered_at > now, now), else_=_table.covered_at)
