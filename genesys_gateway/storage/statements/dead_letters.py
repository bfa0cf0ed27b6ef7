"""Statements that list and requeue dead letters: entries that were given up.

Invariant: a dead entry is never deleted. If the outcome of an earlier attempt is unknown, a requeued entry is looked up
at the receiver before it is sent, and sends the same content. Otherwise its record is built anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, func, select, update

from genesys_gateway.domain.outbox import REFUSED_WITH, AttemptEnd
from genesys_gateway.storage.statements import locks, timeline
from genesys_gateway.storage.statements.outbox import DEAD, IS_DEAD, PENDING
from genesys_gateway.storage.tables import entry, transition

_table = entry.c

_LOCKED = select(_table.id).where(_table.id == bindparam("id")).with_for_update()
#: Number of latest lines, of all timelines, that are searched for ends of attempts.
_LATEST_LINES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An entry that was given up."""

    id: str
    conversation_id: str
    reason: str
    last_error: str | None
    attempt: int
    #: epoch milliseconds
    stored_at: int
    #: whether the receiver may have it although the attempt seemed to fail
    in_doubt: bool


def dead_letters(connection: Connection, *, limit: int, reason: str | None = None) -> list[DeadLetter]:
    """Return at most ``limit`` dead entries, oldest first, of one reason or of all."""
    query = select(entry).where(IS_DEAD)
    if reason is not None:
        query = query.where(_table.reason == reason)
    return [
        DeadLetter(
            id=row.id,
            conversation_id=row.conversation_id,
            reason=row.reason or "",
            last_error=row.last_error,
            attempt=row.attempt,
            stored_at=row.stored_at,
            in_doubt=row.in_doubt,
        )
        for row in connection.execute(query.order_by(_table.stored_at, _table.id).limit(limit))
    ]


def reasons(connection: Connection) -> dict[str, int]:
    """Return the number of dead entries for each reason."""
    query = select(_table.reason, func.count()).where(IS_DEAD).group_by(_table.reason)
    return {row[0] or "": row[1] for row in connection.execute(query)}


def latest_ends(connection: Connection) -> list[AttemptEnd]:
    """Return how the latest attempts ended, oldest first, as the timelines hold them.

    From the eleventh failure of one record on, the timeline holds only those that differ from the one before.
    """
    latest = select(transition).order_by(transition.c.seq.desc()).limit(_LATEST_LINES).subquery()
    ends = select(latest.c.event, latest.c.detail).where(latest.c.event.in_(("delivered", "attempt_failed", "dead")))
    found: list[AttemptEnd] = []
    for event, detail in connection.execute(ends.order_by(latest.c.seq)):
        record_id, _, text = (detail or "").partition(" ")
        error = None if event == "delivered" else text.removeprefix(REFUSED_WITH)
        if event != "dead" or error != text:
            found.append(AttemptEnd(record_id=record_id, error=error, dead=event == "dead"))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeued:
    """Result of requeueing several entries."""

    #: how many are pending again: those that were dead and not erased
    count: int
    #: ids of those that another transaction has locked: to be tried again
    busy: Sequence[str]


def requeue(connection: Connection, record_id: str, *, now: int, why: str) -> bool:
    """Make a dead entry pending again, waiting for its lock. False if it is not dead, or erased.

    Args:
        why: By whom or why, for the timeline.
    """
    connection.execute(_LOCKED, {"id": record_id})
    return bool(_requeue(connection, [record_id], now, why))


def requeue_many(connection: Connection, record_ids: Sequence[str], *, now: int, why: str) -> Requeued:
    """Make dead entries pending again, without waiting for those that are locked."""
    return _requeue_free(connection, record_ids, now, why)


def revive(connection: Connection, record_ids: Sequence[str], *, now: int) -> Requeued:
    """Make entries pending again that the receiver refused while it refused all records, except locked ones."""
    return _requeue_free(connection, record_ids, now, "every record was refused alike")


def _requeue_free(connection: Connection, record_ids: Sequence[str], now: int, why: str) -> Requeued:
    busy = locks.busy_entries(connection, record_ids)
    free = [one for one in record_ids if one not in busy]
    return Requeued(count=_requeue(connection, free, now, why), busy=sorted(busy))


def _requeue(connection: Connection, ids: Sequence[str], now: int, why: str) -> int:
    """Requeue entries that this transaction has locked."""
    among = select(_table.id, _table.conversation_id, _table.state).where(
        _table.id.in_(ids), _table.content.is_not(None)
    )
    rows = [row for row in connection.execute(among.order_by(_table.id)) if row.state == DEAD]
    if not rows:
        return 0
    fresh_start = {
        "state": PENDING,
        "reason": None,
        "next_at": now,
        "waited_ms": 0,
        # As if only one attempt had been made: the back-off begins again, but a re-pairing stays impossible.
        "attempt": 1,
        "names": case((_table.in_doubt, _table.names), else_=None),
    }
    connection.execute(update(entry).where(_table.id.in_([row.id for row in rows])).values(fresh_start))
    lines = [timeline.line(row.conversation_id, now, "requeued", f"{row.id} {why}") for row in rows]
    timeline.note_rows(connection, lines)
    return len(rows)
