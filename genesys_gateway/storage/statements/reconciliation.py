"""Statements about questions to Genesys: which conversations are due, and what an answer changes.

Invariant: only the answer to the question that a date was set for can postpone that date, and only while the instance
that asked still owns the conversation: otherwise nothing is changed, and the new owner asks itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Connection,
    Integer,
    Row,
    String,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    or_,
    select,
    update,
)

from genesys_gateway.runtime.clock import furthest_date
from genesys_gateway.storage.statements import locks, timeline
from genesys_gateway.storage.statements.conversations import FOLLOWED, NOT_RELEASED, PENDING, SUBSCRIBED
from genesys_gateway.storage.statements.due_dates import RowsDue
from genesys_gateway.storage.tables import conversation, entry

_table = conversation.c

#: With a limit instead of EXISTS, because for that PostgreSQL may read all entries that there are.
_HAS_RECORD = select(entry.c.id).where(entry.c.conversation_id == _table.id).limit(1).scalar_subquery().is_not(None)
#: The condition of the index ``conversation_doubtful``, term by term word for word.
_DOUBTFUL = literal_column("conversation.in_doubt") & (_table.state == literal_column("'subscribed'"))
#: Maximum number of conversations in doubt that are read to find those without a record. Thousands may be in doubt.
_DOUBTFUL_READ = 500
_ROWS = select(conversation, _HAS_RECORD.label("has_record")).where(FOLLOWED, _table.owner == bindparam("owner"))
_DUE = RowsDue(_ROWS, _table.due_at)
# An answer dated in the future was dated by a wrong clock, and may be from before the gap.
_UNANSWERED = or_(
    _table.looked_at.is_(None), _table.looked_at < _table.covered_at, _table.looked_at > bindparam("furthest")
)
_IN_DOUBT = _ROWS.where(_DOUBTFUL, _UNANSWERED).order_by(_table.covered_at).limit(_DOUBTFUL_READ).subquery()
_MOST_DOUBTFUL = select(_IN_DOUBT).order_by(_IN_DOUBT.c.has_record, _IN_DOUBT.c.covered_at).limit(bindparam("most"))

#: A closed conversation has no ``due_at``, and a followed one has no ``last_look_at``, which is for any instance.
_LOOKS = _table.last_look_at.is_not(None)
_NEXT_DATES = select(
    select(func.min(_table.due_at))
    .where(_table.owner == bindparam("owner"), _table.due_at > bindparam("now"))
    .label("own"),
    select(func.min(_table.last_look_at)).where(_LOOKS).label("look"),
    select(func.max(_table.last_look_at)).where(_LOOKS).label("latest_look"),
)

#: A change of a followed conversation that the instance that asked owns still.
_OWN_CHANGE = update(conversation).where(
    _table.id == bindparam("one", type_=String), _table.owner == bindparam("of", type_=String), FOLLOWED
)


def _given(name: str) -> BindParameter[int | None]:
    """A date or number that a statement is given."""
    return bindparam(name, type_=BigInteger)


_NOW = _given("moment")
#: ``covered_at``, but at most the present: if a wrong clock dated it later, no answer could be later than it.
_COVERED_BY_NOW = case((_table.covered_at > _NOW, _NOW), else_=_table.covered_at)
_SAME_DATE = _table.due_at == _given("asked_date")
_POSTPONEMENT = _OWN_CHANGE.values(
    due_at=case((_SAME_DATE, _given("next_date")), else_=_table.due_at),
    looked_at=func.coalesce(_given("look"), _table.looked_at),
    covered_at=_COVERED_BY_NOW,
)
_SAME_COVERAGE = (_table.state == SUBSCRIBED) & (_table.covered_at == _given("asked_coverage"))
_ANSWERED = _SAME_DATE & (_table.due_at <= _given("asked_at"))
_ANSWER = _OWN_CHANGE.values(
    asked=case((_ANSWERED, _table.asked + bindparam("counted", type_=Integer)), else_=_table.asked),
    due_at=case((_ANSWERED | (_table.due_at > _given("next_date")), _given("next_date")), else_=_table.due_at),
    deadline_at=case((_table.deadline_at > _given("deadline"), _table.deadline_at), else_=_given("deadline")),
    in_doubt=case((and_(bindparam("clears", type_=Boolean), _SAME_COVERAGE), false()), else_=_table.in_doubt),
    unknown_since=_given("unknown"),
    looked_at=func.coalesce(_given("look"), _table.looked_at),
    unanswered=func.coalesce(_given("unanswered_count"), _table.unanswered),
    unanswered_since=func.coalesce(_given("first_unanswered"), _table.unanswered_since),
    covered_at=_COVERED_BY_NOW,
)

_last_change = _table.deadline_at - _given("follow_ms")
_STORED_THEN = select(entry.c.id).where(entry.c.conversation_id == _table.id, entry.c.stored_at == _last_change)
_NOT_NEWER = or_(
    _last_change <= _given("shown_until"),
    (_last_change <= _given("asked_at")) & _STORED_THEN.limit(1).scalar_subquery().is_not(None),
    _last_change > _given("furthest"),  # set by a wrong clock
)
# A look dated in the future was dated by a wrong clock, and proves nothing.
_NOT_SEEN_AFTER = or_(_table.looked_at.is_(None), _table.looked_at <= _given("ended"), _table.looked_at > _NOW)
_RELEASE = _OWN_CHANGE.where(NOT_RELEASED, _NOT_NEWER, _NOT_SEEN_AFTER).values(
    state=PENDING,
    released_at=_NOW,
    channel_id=None,
    next_owner=None,
    offered_at=None,
    uncovered_since=case((_table.state == SUBSCRIBED, _NOW), else_=_table.uncovered_since),
    due_at=_given("next_date"),
)
_TAKE_UP = _OWN_CHANGE.where(_table.released_at.is_not(None)).values(
    released_at=None, in_doubt=True, due_at=_given("next_date"), asked=0
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NextDates:
    """When there is something to ask about next (epoch milliseconds); None if there is nothing."""

    #: about a conversation of the instance that is not due yet
    question: int | None
    #: the first and the last of all last looks, which are for any instance
    look: int | None
    latest_look: int | None

    @property
    def first(self) -> int | None:
        """The date of whatever comes first."""
        return min((at for at in (self.question, self.look) if at is not None), default=None)


def due(connection: Connection, *, owner: str, now: int, furthest: int, limit: int) -> list[Due]:
    """Return conversations of an instance that are due for a question, longest due first.

    A date beyond ``furthest`` was set by a wrong clock, and is due now.
    """
    rows = _DUE.read(connection, now=now, furthest=furthest, limit=limit, owner=owner)
    return [_due(row) for row in rows]


def doubtful(connection: Connection, *, owner: str, now: int, limit: int) -> list[Due]:
    """Return covered conversations of an instance in doubt for which no live answer was taken since the gap.

    Conversations without a record come first, because the gap is more likely to have hidden an event of theirs; then
    those covered first. Of many, only the 500 covered first are compared.
    """
    rows = connection.execute(_MOST_DOUBTFUL, {"owner": owner, "furthest": furthest_date(now), "most": limit})
    return [_due(row) for row in rows]


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


def next_dates(connection: Connection, owner: str, now: int) -> NextDates:
    """Return when there is something to ask about next."""
    dates = connection.execute(_NEXT_DATES, {"owner": owner, "now": now}).one()
    return NextDates(question=dates.own, look=dates.look, latest_look=dates.latest_look)


def postpone(connection: Connection, one: Due, *, now: int, due_at: int, looked_at: int | None) -> None:
    """Postpone a question that Genesys itself could not answer, without counting it.

    A date that was set meanwhile is kept.

    Args:
        looked_at: When the live view failed to answer (epoch milliseconds), so that other conversations come first;
            None if it was not asked.
    """
    dates = {"moment": now, "asked_date": one.due_at, "next_date": due_at, "look": looked_at}
    connection.execute(_POSTPONEMENT, {"one": one.id, "of": one.owner} | dates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What an answer changes in a conversation that stays followed. Times are epoch milliseconds."""

    #: the conversation, as it was when the question was asked
    one: Due
    #: when the question was asked
    asked_at: int
    #: whether the live view answered
    live: bool
    due_at: int
    deadline_at: int
    clears_doubt: bool
    #: whether the question counts as a routine one, each of which doubles the period until the next
    counted: bool
    unknown_since: int | None
    #: number of unanswered questions past the deadline, and when the first was asked; None to leave it
    unanswered: tuple[int, int] | None = None


def ask_again(connection: Connection, answers: Sequence[Answered], *, now: int) -> None:
    """Store what answers change in conversations that stay followed. A failure of its own counts as an answer.

    A released one stays released.

    A doubt is cleared only if the coverage is still the one the question was asked under, because a new gap needs a new
    answer. A date that was set meanwhile, or that was not reached yet when the question was asked, is never postponed.
    """
    if answers:
        connection.execute(_ANSWER, [_changes(answer, now) for answer in answers])


def _changes(answer: Answered, now: int) -> dict[str, object]:
    count, since = answer.unanswered or (None, None)
    return {
        "one": answer.one.id,
        "of": answer.one.owner,
        "moment": now,
        "asked_date": answer.one.due_at,
        "asked_coverage": answer.one.covered_at,
        "asked_at": answer.asked_at,
        "counted": int(answer.counted),
        "next_date": answer.due_at,
        "deadline": answer.deadline_at,
        "clears": answer.clears_doubt,
        "unknown": answer.unknown_since,
        "look": answer.asked_at if answer.live else None,
        "unanswered_count": count,
        "first_unanswered": since,
    }


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
    facts = {"moment": now, "next_date": due_at, "asked_at": asked_at, "ended": ended_at, "follow_ms": follow_ms}
    facts |= {"shown_until": max(ended_at, known_until), "furthest": furthest_date(now)}
    if not connection.execute(_RELEASE, {"one": conversation_id, "of": owner} | facts).rowcount:
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
    taken_up = connection.execute(_TAKE_UP, {"one": conversation_id, "of": owner, "next_date": due_at})
    if not taken_up.rowcount:
        return False
    timeline.note(connection, conversation_id, now, "followed_again")
    return True
