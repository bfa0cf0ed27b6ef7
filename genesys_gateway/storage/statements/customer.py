"""Statements about everything that is kept of one customer, for the command that erases it.

Law: a conversation is erased in one transaction or not at all, and what is undelivered is erased only when the caller
says so; then it is dead, never gone.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from genesys_gateway.storage.statements import erasure
from genesys_gateway.storage.statements.conversations import CLOSED
from genesys_gateway.storage.statements.outbox import DEAD, DELIVERED, PENDING
from genesys_gateway.storage.tables import conversation, entry, quarantine

_table = entry.c

#: Why an entry is dead whose content was erased before it was delivered; it can't be requeued.
ERASED = "erased before delivery"

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COLUMNS = (_table.id, _table.conversation_id, _table.state, _table.in_doubt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """A record that is not known to be in communication history."""

    id: str
    conversation_id: str
    #: pending or dead
    state: str
    #: an attempt was begun whose outcome nobody knows: it may be there all the same
    in_doubt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What one batch came to."""

    conversations: tuple[str, ...] = ()
    #: those of them that are followed still: records to come will have no customer
    followed: tuple[str, ...] = ()
    #: ids of records that lost their content
    records: tuple[str, ...] = ()
    #: those of them that will never be delivered now
    given_up: tuple[Undelivered, ...] = ()
    #: what kept conversations from being erased
    left: tuple[Undelivered, ...] = ()


def conversations_of(connection: Connection, customer_id: str) -> list[str]:
    """All conversations that are paired with this customer."""
    query = select(conversation.c.id).where(conversation.c.customer_id == customer_id)
    return list(connection.execute(query.order_by(conversation.c.created_at)).scalars())


def undelivered(connection: Connection, customer_id: str) -> list[Undelivered]:
    """Records of this customer that were not delivered and still have their content, oldest first."""
    query = (
        select(*_COLUMNS)
        .join(conversation, conversation.c.id == _table.conversation_id)
        .where(conversation.c.customer_id == customer_id, _table.state != DELIVERED, _table.erased_at.is_(None))
    )
    return [_undelivered(row) for row in connection.execute(query.order_by(_table.stored_at, _table.id))]


def erase(
    connection: Connection, customer_id: str, conversation_ids: Sequence[str], *, even_undelivered: bool, now: int
) -> Erased:
    """Erase these conversations of a customer, whatever their state, their records and the pairing.

    Args:
        conversation_ids: A batch of them; one that has another customer by now is left alone.
        even_undelivered: Give up what was not delivered. Otherwise a conversation that holds such a record is left.
    """
    mine = select(conversation.c.id, conversation.c.state).where(
        conversation.c.id.in_(conversation_ids), conversation.c.customer_id == customer_id
    )
    # The conversation before its entries, as everybody does who locks both.
    states = {row.id: row.state for row in connection.execute(mine.order_by(conversation.c.id).with_for_update())}
    full = select(*_COLUMNS).where(_table.conversation_id.in_(states), _table.erased_at.is_(None))
    rows = connection.execute(full.order_by(_table.id).with_for_update()).all()
    waiting = [row for row in rows if row.state != DELIVERED]
    left = [] if even_undelivered else waiting
    kept = {row.conversation_id for row in left}
    gone = [row for row in rows if row.conversation_id not in kept]
    if even_undelivered:
        _give_up(connection, waiting, now)
    erasure.empty(connection, gone, now)
    free = tuple(one for one in states if one not in kept)
    erasure.cut(connection, free, now)
    return Erased(
        conversations=free,
        followed=tuple(one for one in free if states[one] != CLOSED),
        records=tuple(row.id for row in gone),
        given_up=tuple(_undelivered(row) for row in waiting if even_undelivered),
        left=tuple(_undelivered(row) for row in left),
    )


def _give_up(connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]], now: int) -> None:
    change = update(entry).where(_table.id.in_([row.id for row in rows]))
    # The number is raised as by a claim: an attempt that is under way now concludes too late, and one that was read
    # into memory can't begin.
    fresh = {"claim": _table.claim + 1, "claimed_by": None, "claimed_until": None}
    connection.execute(change.values(state=DEAD, reason=ERASED, **fresh))
    erasure.note_each(connection, [row for row in rows if row.state == PENDING], now, "dead", ERASED)


def _undelivered(row: Row[*tuple[Any, ...]]) -> Undelivered:
    return Undelivered(id=row.id, conversation_id=row.conversation_id, state=row.state, in_doubt=row.in_doubt)


def frames_naming(connection: Connection, conversation_ids: Collection[str]) -> list[int]:
    """Numbers of the frames in quarantine that name one of these conversations anywhere."""
    wanted = set(conversation_ids)
    rows = connection.execute(select(quarantine.c.seq, quarantine.c.topic, quarantine.c.frame))
    return [row.seq for row in rows if not wanted.isdisjoint(_UUID.findall(f"{row.topic} {row.frame}".lower()))]
