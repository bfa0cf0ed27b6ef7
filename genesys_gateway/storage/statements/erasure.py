"""Statements that erase personal content by age, and the steps they share with erasing one customer.

Invariant: ids, states, outcomes and timelines stay until a conversation is forgotten. By age, no pending or dead entry
loses its content, and no conversation loses its customer before it is closed and its last record is erased.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select, tuple_, update

from genesys_gateway.storage.statements import timeline
from genesys_gateway.storage.statements.conversations import CLOSED
from genesys_gateway.storage.statements.outbox import DELIVERED
from genesys_gateway.storage.tables import conversation, entry, quarantine

_conversation = conversation.c
_entry = entry.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Result of one batch of conversations."""

    erased: int
    #: where the next batch begins; None after the last one
    after: tuple[int, str] | None


def redate(connection: Connection, *, latest: int) -> int:
    """Set deliveries and closes that a wrong clock dated after ``latest`` to ``latest``. Return their number.

    Rows that another transaction has locked are left to the next run.
    """
    changed = 0
    for table, date in ((entry, _entry.delivered_at), (conversation, _conversation.closed_at)):
        misdated = select(table.c.id).where(table.c.erased_at.is_(None), date > latest)
        change = update(table).where(table.c.id.in_(misdated.with_for_update(skip_locked=True)))
        changed += connection.execute(change.values({date.name: latest})).rowcount
    return changed


# The next two queries do not filter by state: SQLite would then scan all rows in that state, even those erased long
# ago.


def old_records(connection: Connection, *, before: int, now: int, limit: int) -> int:
    """Erase at most ``limit`` entries delivered before that moment, oldest delivery first. Return their number."""
    old = select(_entry.id, _entry.conversation_id, _entry.state).where(
        _entry.erased_at.is_(None), _entry.delivered_at < before
    )
    rows = connection.execute(old.order_by(_entry.delivered_at).limit(limit).with_for_update(skip_locked=True)).all()
    delivered = [row for row in rows if row.state == DELIVERED]
    erase_content(connection, delivered, now)
    return len(delivered)


def old_conversations(
    connection: Connection, *, before: int, now: int, limit: int, after: tuple[int, str] | None
) -> Page:
    """Erase conversations closed before that moment, oldest close first.

    At most ``limit`` are read. Fewer may be erased, because a conversation with a record that is not erased is skipped.
    """
    old = select(_conversation.id, _conversation.closed_at, _conversation.state).where(
        _conversation.erased_at.is_(None), _conversation.closed_at < before
    )
    if after is not None:
        old = old.where(tuple_(_conversation.closed_at, _conversation.id) > after)
    old = old.order_by(_conversation.closed_at, _conversation.id).limit(limit)
    rows = connection.execute(old.with_for_update(skip_locked=True)).all()
    erasable = _without_content(connection, [row.id for row in rows if row.state == CLOSED])
    erase_customer(connection, erasable, now)
    return Page(erased=len(erasable), after=(rows[-1].closed_at, rows[-1].id) if len(rows) == limit else None)


def _without_content(connection: Connection, conversation_ids: Sequence[str]) -> list[str]:
    of_these = _entry.conversation_id.in_(conversation_ids)
    full = set(connection.execute(select(_entry.conversation_id).where(of_these, _entry.erased_at.is_(None))).scalars())
    return [one for one in conversation_ids if one not in full]


def old_frames(connection: Connection, *, before: int, limit: int) -> int:
    """Delete at most ``limit`` quarantined frames from before that moment. Return their number."""
    old = select(quarantine.c.seq).where(quarantine.c.at < before).order_by(quarantine.c.seq).limit(limit)
    return drop_frames(connection, list(connection.execute(old.with_for_update(skip_locked=True)).scalars()))


def drop_frames(connection: Connection, numbers: Sequence[int]) -> int:
    """Delete these frames. Return how many still existed."""
    return connection.execute(delete(quarantine).where(quarantine.c.seq.in_(numbers))).rowcount if numbers else 0


def erase_content(connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]], now: int) -> None:
    """Erase the content of entries, and note it in the timelines of their conversations.

    Args:
        rows: Rows with ``id`` and ``conversation_id``, locked by the caller.
    """
    nothing = {"content": None, "amended_content": None, "names": None, "last_error": None}
    if rows:
        change = update(entry).where(_entry.id.in_([row.id for row in rows]))
        connection.execute(change.values(erased_at=now, **nothing))
        note_each(connection, rows, now, "erased")


def note_each(
    connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]], now: int, event: str, why: str = ""
) -> None:
    """Append a line about each entry to the timeline of its conversation."""
    lines = [timeline.line(row.conversation_id, now, event, f"{row.id} {why}".rstrip()) for row in rows]
    timeline.note_rows(connection, lines)


def erase_customer(connection: Connection, conversation_ids: Sequence[str], now: int) -> None:
    """Erase the customer of conversations, and note it in their timelines."""
    if conversation_ids:
        change = update(conversation).where(_conversation.id.in_(conversation_ids))
        connection.execute(change.values(customer_id=None, erased_at=now))
        timeline.note_all(connection, list(conversation_ids), now, "erased")
