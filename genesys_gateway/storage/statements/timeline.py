"""Statements that append to and read the timeline of a conversation: what happened to it, in order, for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from genesys_gateway.storage import noted
from genesys_gateway.storage.many_rows import insert_all, is_among
from genesys_gateway.storage.tables import transition

#: Maximum length of a stored detail, in characters.
DETAIL_LENGTH = 200

_OF = (
    select(transition.c.conversation_id, transition.c.at, transition.c.event, transition.c.detail)
    .where(is_among(transition.c.conversation_id, "ids"))
    # Within a conversation by number; so PostgreSQL never walks the numbers of all lines.
    .order_by(transition.c.conversation_id, transition.c.seq)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineItem:
    """One line of a timeline."""

    #: epoch milliseconds
    at: int
    event: str
    detail: str | None


def line(conversation_id: str, at: int, event: str, detail: str | None = None) -> dict[str, Any]:
    """Return a line for :func:`note_rows`. The detail must contain no personal data."""
    cut = detail[:DETAIL_LENGTH] if detail else None
    return {"conversation_id": conversation_id, "at": at, "event": event, "detail": cut}


def note_rows(connection: Connection, lines: Sequence[dict[str, Any]]) -> None:
    """Append lines, in their order, each to the timeline of its conversation. After the commit they are logged, too."""
    insert_all(connection, transition, lines)
    noted.add(connection, lines)


def note(connection: Connection, conversation_id: str, at: int, event: str, detail: str | None = None) -> None:
    """Append a line to a conversation's timeline. The detail must contain no personal data."""
    note_rows(connection, [line(conversation_id, at, event, detail)])


def note_all(connection: Connection, conversation_ids: Sequence[str], at: int, event: str) -> None:
    """Append the same line, without a detail, to the timelines of many conversations."""
    note_rows(connection, [line(one, at, event) for one in conversation_ids])


def was_noted(connection: Connection, conversation_id: str, event: str, since: int) -> bool:
    """Whether the timeline has a line with this event, dated ``since`` (epoch milliseconds) or later."""
    table = transition.c
    query = select(table.seq).where(table.conversation_id == conversation_id, table.event == event, table.at >= since)
    return connection.execute(query.limit(1)).first() is not None


def was_erased(connection: Connection, conversation_id: str) -> bool:
    """Whether a conversation itself, and not only one of its records, was ever erased."""
    table = transition.c
    query = select(table.seq).where(
        table.conversation_id == conversation_id, table.event == "erased", table.detail.is_(None)
    )
    return connection.execute(query.limit(1)).first() is not None


def of(connection: Connection, conversation_id: str) -> tuple[TimelineItem, ...]:
    """Return a conversation's timeline, oldest line first."""
    return of_all(connection, [conversation_id])[conversation_id]


def of_all(connection: Connection, conversation_ids: Sequence[str]) -> dict[str, tuple[TimelineItem, ...]]:
    """Return the timelines of conversations, each with its oldest line first."""
    found: dict[str, list[TimelineItem]] = {one: [] for one in conversation_ids}
    for row in connection.execute(_OF, {"ids": conversation_ids}):
        found[row.conversation_id].append(TimelineItem(at=row.at, event=row.event, detail=row.detail))
    return {one: tuple(items) for one, items in found.items()}
