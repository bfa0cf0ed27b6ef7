"""Statements that find and erase everything stored about one customer or interaction, for the command ``erase``.

Invariant: a conversation is erased in one transaction or not at all. Undelivered records are erased only if the caller
asks for it; they become dead and are never deleted.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from genesys_gateway.storage.statements import erasure, locks
from genesys_gateway.storage.statements.conversations import CLOSED
from genesys_gateway.storage.statements.outbox import DEAD, DELIVERED, PENDING
from genesys_gateway.storage.tables import conversation, entry, quarantine

_table = entry.c

#: Reason of a dead entry whose content was erased before its delivery. It can't be requeued.
ERASED = "erased before delivery"

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COLUMNS = (_table.id, _table.conversation_id, _table.state, _table.in_doubt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """A record that is not known to be in CommunicationHistory."""

    id: str
    conversation_id: str
    #: pending or dead
    state: str
    #: whether the outcome of an attempt is unknown, so that it may be there all the same
    in_doubt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Result of one batch of conversations."""

    #: ids of the erased conversations
    conversations: tuple[str, ...] = ()
    #: those of them that are still followed; their future records will have no customer
    followed: tuple[str, ...] = ()
    #: ids of the records whose content was erased
    records: tuple[str, ...] = ()
    #: those of them that will therefore never be delivered
    given_up: tuple[Undelivered, ...] = ()
    #: undelivered records that kept their conversations from being erased
    left: tuple[Undelivered, ...] = ()
    #: ids of conversations that were not erased because another transaction has locked them
    busy: tuple[str, ...] = ()


def conversations_of(connection: Connection, customer_id: str) -> list[str]:
    """Return the conversations paired with this customer, oldest first."""
    query = select(conversation.c.id).where(conversation.c.customer_id == customer_id)
    return list(connection.execute(query.order_by(conversation.c.created_at)).scalars())


def undelivered(connection: Connection, customer_id: str) -> list[Undelivered]:
    """Return the records of this customer that are neither delivered nor erased, oldest first."""
    query = (
        select(*_COLUMNS)
        .join(conversation, conversation.c.id == _table.conversation_id)
        .where(conversation.c.customer_id == customer_id, _table.state != DELIVERED, _table.erased_at.is_(None))
    )
    return [_undelivered(row) for row in connection.execute(query.order_by(_table.stored_at, _table.id))]


def erase(
    connection: Connection, customer_id: str, conversation_ids: Sequence[str], *, even_undelivered: bool, now: int
) -> Erased:
    """Erase conversations of a customer, in any state: their records and the pairing.

    Args:
        conversation_ids: A batch of them. One that has another customer by now is not changed. Of several, those that
            another transaction has locked are left out; one alone is waited for (ADR 0025).
        even_undelivered: Give up undelivered records. Otherwise a conversation with such a record is not changed.
    """
    still_paired = select(conversation.c.id, conversation.c.state).where(
        conversation.c.id.in_(conversation_ids), conversation.c.customer_id == customer_id
    )
    # Lock the conversations before their entries, as every transaction that locks both does.
    skip = len(conversation_ids) > 1
    locked = connection.execute(still_paired.order_by(conversation.c.id).with_for_update(skip_locked=skip))
    states = {row.id: row.state for row in locked}
    full = select(*_COLUMNS).where(_table.conversation_id.in_(states), _table.erased_at.is_(None))
    rows = connection.execute(full.order_by(_table.id).with_for_update(skip_locked=skip)).all()
    busy = _left_out(connection, still_paired, full, states, rows) if skip else set()
    states = {one: state for one, state in states.items() if one not in busy}
    rows = [row for row in rows if row.conversation_id not in busy]
    not_delivered = [row for row in rows if row.state != DELIVERED]
    left = [] if even_undelivered else not_delivered
    kept = {row.conversation_id for row in left}
    erasable = [row for row in rows if row.conversation_id not in kept]
    if even_undelivered:
        _give_up(connection, not_delivered, now)
    erasure.erase_content(connection, erasable, now)
    erased = tuple(one for one in states if one not in kept)
    erasure.erase_customer(connection, erased, now)
    return Erased(
        conversations=erased,
        followed=tuple(one for one in erased if states[one] != CLOSED),
        records=tuple(row.id for row in erasable),
        given_up=tuple(_undelivered(row) for row in not_delivered if even_undelivered),
        left=tuple(_undelivered(row) for row in left),
        busy=tuple(sorted(busy)),
    )


def _left_out(
    connection: Connection,
    paired: Select[Any],
    full: Select[Any],
    states: Collection[str],
    rows: Sequence[Row[*tuple[Any, ...]]],
) -> set[str]:
    """The conversations whose row, or one of whose records, another transaction has locked."""
    if connection.dialect.name != "postgresql":
        return set()
    locked = {row.id for row in rows}
    busy = {row.id for row in connection.execute(paired) if row.id not in states}
    return busy | {row.conversation_id for row in connection.execute(full) if row.id not in locked}


def erase_interaction(connection: Connection, conversation_id: str, *, even_undelivered: bool, now: int) -> Erased:
    """Erase one conversation of any customer, or the supportResults of one that was never registered.

    Args:
        even_undelivered: Give up undelivered records. Otherwise nothing is changed while there is one.
    """
    locks.hold(connection, conversation_id)
    # Locked, because a re-pairing in this moment would give it another customer than the one that is erased here.
    customer_id = select(conversation.c.customer_id).where(conversation.c.id == conversation_id).with_for_update()
    if (found := connection.execute(customer_id).scalar()) is not None:
        return erase(connection, found, [conversation_id], even_undelivered=even_undelivered, now=now)
    full = select(*_COLUMNS).where(_table.conversation_id == conversation_id, _table.erased_at.is_(None))
    rows = connection.execute(full.order_by(_table.id).with_for_update()).all()
    not_delivered = [row for row in rows if row.state != DELIVERED]
    if not_delivered and not even_undelivered:
        return Erased(left=tuple(_undelivered(row) for row in not_delivered))
    _give_up(connection, not_delivered, now)
    erasure.erase_content(connection, rows, now)
    return Erased(
        conversations=(conversation_id,) if rows else (),
        records=tuple(row.id for row in rows),
        given_up=tuple(_undelivered(row) for row in not_delivered),
    )


def _give_up(connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]], now: int) -> None:
    change = update(entry).where(_table.id.in_([row.id for row in rows]))
    # Increment the claim as a new claim would: an attempt under way can no longer conclude, and an entry that was read
    # into memory can no longer be claimed.
    unclaimed = {"claim": _table.claim + 1, "claimed_by": None, "claimed_until": None}
    connection.execute(change.values(state=DEAD, reason=ERASED, **unclaimed))
    erasure.note_each(connection, [row for row in rows if row.state == PENDING], now, "dead", ERASED)


def _undelivered(row: Row[*tuple[Any, ...]]) -> Undelivered:
    return Undelivered(id=row.id, conversation_id=row.conversation_id, state=row.state, in_doubt=row.in_doubt)


def frames_naming(connection: Connection, conversation_ids: Collection[str]) -> list[int]:
    """Return the numbers of quarantined frames whose topic or text contains the id of one of these conversations."""
    wanted = set(conversation_ids)
    rows = connection.execute(select(quarantine.c.seq, quarantine.c.topic, quarantine.c.frame))
    return [row.seq for row in rows if not wanted.isdisjoint(_UUID.findall(f"{row.topic} {row.frame}".lower()))]
