"""Statements that list conversations and records for operators: newest first, in pages.

Invariant: a page begins after the place at which the one before has ended, by date and id, which never change. So all
that was there when the first page was read is listed once, whatever comes in meanwhile.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, String, and_, func, literal_column, or_, select, true

from genesys_gateway.storage.many_rows import is_among
from genesys_gateway.storage.statements import owners
from genesys_gateway.storage.statements.conversations import CLOSED, FOLLOWED, PENDING, SUBSCRIBED
from genesys_gateway.storage.statements.outbox import DEAD, IS_DEAD, IS_PENDING
from genesys_gateway.storage.statements.oversight import IS_UNRESOLVED
from genesys_gateway.storage.tables import conversation, entry

_conversation = conversation.c
_entry = entry.c

#: As the indexes of the lists hold these dates, word for word.
_CREATED: ColumnElement[int] = literal_column("0") - _conversation.created_at
_STORED: ColumnElement[int] = literal_column("0") - _entry.stored_at
#: With the column of its index, so that the index is walked.
_UNRESOLVED = and_(IS_UNRESOLVED, _conversation.closed_at.is_not(None))
#: Later than each date, in epoch milliseconds: a bound that names the index.
_LATEST = 2**62
#: Comes after each character of an id.
_AFTER_HEX = "g"
#: Maximum number of conversations that are sorted by date because their ids begin alike. Of more, the newest are
#: searched for by date: they are frequent then.
_MOST_SORTED = 10_000

#: Incremental sorts, of rows with the same date, stay allowed.
_NO_SORT = "SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)"

_LINES = select(
    _conversation.id,
    _conversation.state,
    _conversation.outcome,
    _conversation.created_at,
    _conversation.due_at,
    _conversation.last_look_at,
    _conversation.channel_id,
    _conversation.owner,
)
_RECORDS = (
    select(_entry.conversation_id, func.count().label("records"))
    .where(is_among(_entry.conversation_id, "ids"))
    .group_by(_entry.conversation_id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a list: that of the line with this date (epoch milliseconds) and id."""

    at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationItem:
    """One conversation in a list. Times are epoch milliseconds."""

    id: str
    #: pending, subscribed or closed, as callers outside see it
    state: str
    outcome: str | None
    created_at: int
    #: when the next question to Genesys is due; None once closed
    due_at: int | None
    #: when a closed one is asked about once more; None once answered
    last_look_at: int | None
    #: the channel that covers it; None while none does
    channel_id: str | None
    #: number of its records
    records: int

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return Place(at=self.created_at, id=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordItem:
    """One record in a list. Times are epoch milliseconds."""

    id: str
    conversation_id: str
    #: pending, delivered or dead
    state: str
    #: live, backfill or supportResult
    source: str
    #: number of attempts begun
    attempt: int
    #: why it is dead
    reason: str | None
    last_error: str | None
    #: when the next attempt is due, if it is pending
    next_at: int
    stored_at: int

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return Place(at=self.stored_at, id=self.id)


def conversations(
    connection: Connection,
    *,
    state: str | None,
    beginning: str | None,
    after: Place | None,
    limit: int,
    unresolved: bool = False,
    most_sorted: int = _MOST_SORTED,
) -> list[ConversationItem]:
    """Return at most ``limit`` conversations, newest first.

    Args:
        state: Only those in this state, as callers outside see it.
        beginning: Only those whose ids begin so; hexadecimal digits in lower case, and dashes.
        after: Only those that follow this place.
        unresolved: Only those that were closed as unresolved and are not erased, as the trouble counts them.
        most_sorted: Maximum number of those that begin so, at which they are sorted by date.
    """
    _walk_indexes(connection)
    certain = owners.certain(connection)
    among = _LINES if state is None else _LINES.where(_in_state(state, certain))
    if unresolved or state in (PENDING, SUBSCRIBED):
        # They are few, so they are sorted. By the date itself: the index of the whole list must not be walked for them.
        kind = _UNRESOLVED if unresolved else FOLLOWED
        query = _by_date(among.where(kind, _begins(beginning)), _conversation.created_at, _conversation.id, after)
    else:
        query = _among(connection, among, beginning, after, most_sorted)
    rows = connection.execute(query.limit(limit)).all()
    counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(_RECORDS, {"ids": [row.id for row in rows]})}
    return [
        ConversationItem(
            id=row.id,
            state=(shown := _shown(row.state, row.owner, certain)),
            outcome=row.outcome,
            created_at=row.created_at,
            due_at=row.due_at,
            last_look_at=row.last_look_at,
            channel_id=row.channel_id if shown == SUBSCRIBED else None,
            records=counts.get(row.id, 0),
        )
        for row in rows
    ]


def _shown(state: str, owner: str | None, certain: Collection[str] | None) -> str:
    """The state as :func:`conversations.view` shows it."""
    return PENDING if state == SUBSCRIBED and certain is not None and owner not in certain else state


def _among(
    connection: Connection, query: Select[Any], beginning: str | None, after: Place | None, most_sorted: int
) -> Select[Any]:
    """The query with the beginning of ids, and with its order."""
    if beginning is not None and _few_begin_with(connection, beginning, most_sorted):
        query = query.where(_between(connection, beginning))
        return _by_date(query, _conversation.created_at, _conversation.id, after)
    return _by_index(query.where(_begins(beginning)), _CREATED, _conversation.id, after)


def _in_state(state: str, certain: Collection[str] | None) -> ColumnElement[bool]:
    if certain is None or state == CLOSED:
        return _conversation.state == state
    if state == SUBSCRIBED:
        return and_(_conversation.state == SUBSCRIBED, _conversation.owner.in_(certain))
    return or_(_conversation.state == PENDING, _conversation.owner.is_(None), _conversation.owner.not_in(certain))


def _begins(beginning: str | None) -> ColumnElement[bool]:
    """Whether an id begins so, in a form for which no database looks into the index of ids."""
    if beginning is None:
        return true()
    return func.substr(_conversation.id, 1, len(beginning), type_=String) == beginning


def _between(connection: Connection, beginning: str) -> ColumnElement[bool]:
    """The same in a form for which a database looks into the index of ids."""
    first, end = ("~>=~", "~<~") if connection.dialect.name == "postgresql" else (">=", "<")
    return and_(_conversation.id.op(first)(beginning), _conversation.id.op(end)(beginning + _AFTER_HEX))


def _few_begin_with(connection: Connection, beginning: str, most: int) -> bool:
    some = select(_conversation.id).where(_between(connection, beginning)).limit(most + 1).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one() <= most


def records(connection: Connection, *, state: str | None, after: Place | None, limit: int) -> list[RecordItem]:
    """Return at most ``limit`` records, newest first.

    Args:
        state: Only those in this state.
        after: Only those that follow this place.
    """
    _walk_indexes(connection)
    query = select(
        _entry.id,
        _entry.conversation_id,
        _entry.state,
        _entry.source,
        _entry.attempt,
        _entry.reason,
        _entry.last_error,
        _entry.next_at,
        _entry.stored_at,
    )
    partial = {"pending": IS_PENDING, DEAD: IS_DEAD}.get(state or "")
    if partial is not None:
        # By the date itself, as the indexes of these states hold it.
        query = _by_date(query.where(partial), _entry.stored_at, _entry.id, after)
    else:
        query = query if state is None else query.where(_entry.state == state)
        query = _by_index(query, _STORED, _entry.id, after)
    return [RecordItem(**row._mapping) for row in connection.execute(query.limit(limit))]


def dead_causes(connection: Connection) -> list[tuple[str | None, str | None, int]]:
    """Return the reasons and last errors of all dead records with content, each pair with its number of records."""
    query = select(_entry.reason, _entry.last_error, func.count()).where(IS_DEAD, _entry.content.is_not(None))
    grouped = connection.execute(query.group_by(_entry.reason, _entry.last_error))
    return [(reason, last_error, count) for reason, last_error, count in grouped]


def _walk_indexes(connection: Connection) -> None:
    """In this transaction PostgreSQL reads in the order of an index, where one has the order.

    Otherwise a plan that was made while there was little would sort all that there is later.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_NO_SORT)


def _by_date(query: Select[Any], date: ColumnElement[int], key: ColumnElement[str], after: Place | None) -> Select[Any]:
    if after is None:
        return query.where(date < _LATEST).order_by(date.desc(), key)
    return query.where(date <= after.at, or_(date < after.at, key > after.id)).order_by(date.desc(), key)


def _by_index(
    query: Select[Any], negative: ColumnElement[int], key: ColumnElement[str], after: Place | None
) -> Select[Any]:
    if after is None:
        return query.where(negative > -_LATEST).order_by(negative, key)
    return query.where(negative >= -after.at, or_(negative > -after.at, key > after.id)).order_by(negative, key)
