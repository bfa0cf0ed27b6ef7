"""Statements that delete what is older than the gateway keeps anything: conversations, and supportResults without one.

Invariant: nothing is deleted while any of its records is pending, or has content that belongs to a conversation. The
balance goes on counting what is deleted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from genesys_gateway.storage.statements import locks, tally
from genesys_gateway.storage.statements.conversations import CLOSED
from genesys_gateway.storage.statements.counterparts import SUPPORT_RESULT
from genesys_gateway.storage.statements.outbox import DELIVERED, PENDING
from genesys_gateway.storage.tables import conversation, counterpart, entry, registration, transition

_conversation = conversation.c
_entry = entry.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Result of one transaction."""

    #: conversations that were deleted, with everything about them
    deleted: int
    #: where the next portion begins; None after the last one
    after: tuple[int, str] | None


def redate(connection: Connection, *, latest: int) -> int:
    """Set the dates of erasures that a wrong clock dated after ``latest`` to ``latest``. Return their number.

    Rows that another transaction has locked are left to the next run.
    """
    misdated = select(_conversation.id).where(_conversation.erased_at > latest, _conversation.closed_at.is_not(None))
    change = update(conversation).where(_conversation.id.in_(misdated.with_for_update(skip_locked=True)))
    return connection.execute(change.values(erased_at=latest)).rowcount


def old_conversations(
    connection: Connection, *, closed_before: int, erased_before: int, limit: int, after: tuple[int, str] | None
) -> Portion:
    """Delete conversations that were closed and erased before those moments (epoch milliseconds).

    At most ``limit`` are read, those erased first. One with a record that is not erased is skipped.
    """
    old = (_conversation.erased_at < erased_before, _conversation.closed_at < closed_before)
    found = _page(connection, select(_conversation.id, _conversation.erased_at).where(*old), limit, after)
    # Lock as every transaction does that stores something about a conversation: then read again.
    ids = locks.hold_free(connection, [row.id for row in found])
    still = select(_conversation.id).where(_conversation.id.in_(ids), _conversation.state == CLOSED, *old)
    locked = connection.execute(still.with_for_update(skip_locked=True)).scalars().all()
    erased = _without(connection, locked, _entry.erased_at.is_(None))
    if erased:
        missed = select(func.sum(_conversation.missed)).where(_conversation.id.in_(erased))
        tally.add_forgotten(
            connection,
            missed=int(connection.execute(missed).scalar_one()),
            conversations=_delete(connection, conversation, _conversation.id, erased),
            registrations=_delete(connection, registration, registration.c.conversation_id, erased),
        )
        _delete_records(connection, erased)
    return Portion(deleted=len(erased), after=_end(found, limit))


def old_results(connection: Connection, *, before: int, limit: int, after: tuple[int, str] | None) -> Portion:
    """Delete delivered and dead supportResults from before that moment whose conversation is not registered.

    A dead one loses its content with this: no customer is known for whom it could be kept or erased.
    """
    unregistered = ~exists().where(_conversation.id == _entry.conversation_id)
    old = (_entry.source == _of_result(), _entry.stored_at < before)
    found = _page(
        connection,
        select(_entry.id, _entry.stored_at, _entry.conversation_id, unregistered.label("unregistered")).where(*old),
        limit,
        after,
    )
    ids = locks.hold_free(connection, {row.conversation_id for row in found if row.unregistered})
    # Since the statement before, a conversation may have been registered, or another instance may have deleted records.
    still = select(_entry.conversation_id).where(_entry.conversation_id.in_(ids), unregistered).distinct()
    left = connection.execute(still).scalars().all()
    kept = or_(
        _entry.state == PENDING,
        (_entry.state == DELIVERED) & _entry.erased_at.is_(None),
        _entry.stored_at >= before,
    )
    done = _without(connection, left, kept)
    _delete_records(connection, done)
    return Portion(deleted=len(done), after=_end(found, limit))


def _of_result() -> ColumnElement[str]:
    """The source, spelled as in the index ``entry_result``."""
    return literal_column(f"'{SUPPORT_RESULT}'")


def _page(
    connection: Connection, query: Any, limit: int, after: tuple[int, str] | None
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Read one page in the order of an index on a date (second column of the query) and the id (its first)."""
    key, date = query.selected_columns[0], query.selected_columns[1]
    if after is not None:
        query = query.where(tuple_(date, key) > after)
    return connection.execute(query.order_by(date, key).limit(limit)).all()


def _end(found: Sequence[Row[*tuple[Any, ...]]], limit: int) -> tuple[int, str] | None:
    return (found[-1][1], found[-1][0]) if len(found) == limit else None


def _without(connection: Connection, ids: Sequence[str], condition: ColumnElement[bool]) -> list[str]:
    """Return the conversations of which no record meets the condition, and lock their records.

    Without the lock, a dead record that is requeued in this moment would be deleted all the same. A conversation with a
    record that another transaction has locked is left out.
    """
    of_these = _entry.conversation_id.in_(ids)
    query = select(_entry.conversation_id, condition.label("kept")).where(of_these)
    rows = connection.execute(query.with_for_update(skip_locked=True)).all()
    kept = {row.conversation_id for row in rows if row.kept}
    if connection.dialect.name == "postgresql":
        locked = Counter(row.conversation_id for row in rows)
        counts = select(_entry.conversation_id, func.count()).where(of_these).group_by(_entry.conversation_id)
        kept |= {one for one, count in connection.execute(counts) if count > locked[one]}
    return [one for one in ids if one not in kept]


def _delete_records(connection: Connection, conversation_ids: Sequence[str]) -> None:
    _delete(connection, entry, _entry.conversation_id, conversation_ids)
    _delete(connection, counterpart, counterpart.c.conversation_id, conversation_ids)
    _delete(connection, transition, transition.c.conversation_id, conversation_ids)


def _delete(connection: Connection, table: Table, key: ColumnElement[str], ids: Sequence[str]) -> int:
    return connection.execute(delete(table).where(key.in_(ids))).rowcount if ids else 0
