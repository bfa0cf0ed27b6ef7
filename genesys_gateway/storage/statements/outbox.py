"""Statements for the outbox: which entries are due, and when the others are.

Invariant: nothing here waits for a lock. ``now`` is always the database's clock, because leases are compared with no
other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    cast,
    exists,
    literal_column,
    or_,
    select,
    update,
)

from genesys_gateway.domain.outbox import Entry, Postponed
from genesys_gateway.storage.statements import locks, tally
from genesys_gateway.storage.tables import entry, instance

_table = entry.c

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"
#: Conditions of the partial indexes, word for word, because SQLite uses such an index for no other.
IS_PENDING = _table.state == literal_column("'pending'")
IS_DEAD = _table.state == literal_column("'dead'")

_ENTRY = select(
    _table.id,
    _table.conversation_id,
    _table.content,
    _table.source,
    _table.stored_at,
    _table.next_at,
    _table.claim,
    _table.attempt,
    _table.in_doubt,
    _table.names,
    _table.waited_ms,
    _table.last_error,
)

#: The claim of an instance that runs with a longer lease than this one.
_OF_LONGER_LEASE = exists().where(
    instance.c.id == _table.claimed_by,
    instance.c.ended_at.is_(None),
    instance.c.lease_ms >= _table.claimed_until - bindparam("now"),
)
#: A claim that ends later than a whole lease from now was made while the clock was ahead, so it does not count.
UNCLAIMED = or_(
    _table.claimed_until.is_(None),
    _table.claimed_until <= bindparam("now"),
    and_(_table.claimed_until > bindparam("longest"), ~_OF_LONGER_LEASE),
)
_DUE = _ENTRY.where(IS_PENDING, _table.next_at <= bindparam("now"), UNCLAIMED)
_OLDEST = _DUE.order_by(_table.next_at).limit(bindparam("most"))
_NEWEST = (
    _DUE.where(_table.next_at > bindparam("since"), _table.attempt == 0)
    .order_by(_table.next_at.desc())
    .limit(bindparam("most"))
)

_COUNTED = select(tally.total("pending").label("pending"), tally.total("dead").label("dead"))
# Bound and order name the index, of which one end is read. For min() PostgreSQL may walk another one.
_OLDEST_PENDING = select(_table.stored_at).where(IS_PENDING, _table.stored_at > 0).order_by(_table.stored_at).limit(1)
_LATER = select(_table.next_at).where(IS_PENDING, _table.next_at > bindparam("now")).limit(1)
_DATES = select(
    _LATER.order_by(_table.next_at).scalar_subquery().label("next"),
    _LATER.order_by(_table.next_at.desc()).scalar_subquery().label("latest"),
)
_POSTPONE = (
    update(entry)
    .where(_table.id == bindparam("of"), _table.claim == bindparam("number"), _table.state == PENDING)
    .values(next_at=bindparam("due_at"), waited_ms=bindparam("waited"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Numbers of entries that wait or were given up."""

    pending: int
    dead: int
    #: age of the oldest pending entry
    oldest_ms: int


def due(connection: Connection, *, now: int, lease_ms: int, limit: int) -> list[Entry]:
    """Return unclaimed entries that are due, longest due first."""
    bounds = {"now": now, "longest": now + lease_ms, "most": limit}
    return [_entry(row) for row in connection.execute(_OLDEST, bounds)]


def unattempted(connection: Connection, *, now: int, lease_ms: int, since: int, limit: int) -> list[Entry]:
    """Return entries without an attempt that became due after ``since`` (epoch milliseconds), newest first."""
    bounds = {"now": now, "longest": now + lease_ms, "since": since, "most": limit}
    return [_entry(row) for row in connection.execute(_NEWEST, bounds)]


def _entry(row: Row[*tuple[Any, ...]]) -> Entry:
    return Entry(
        id=row.id,
        conversation_id=row.conversation_id,
        content=row.content,
        source=row.source,
        stored_at=row.stored_at,
        next_at=row.next_at,
        claim=row.claim,
        attempt=row.attempt,
        in_doubt=row.in_doubt,
        known=row.names,
        waited_ms=row.waited_ms,
        last_error=row.last_error,
    )


def next_due(connection: Connection, *, now: int, furthest_ms: int, longest_back_off_ms: int) -> int | None:
    """Return the milliseconds until the next entry becomes due; None if no entry waits for its time.

    A date further away than ``furthest_ms``, the longest possible wait, was set by a wrong clock. Such an entry is made
    due now. Before its first attempt an entry waits no longer than a back-off.
    """
    following, latest = connection.execute(_DATES, {"now": now}).one()
    soonest_mistake = now + min(furthest_ms, longest_back_off_ms)
    if latest is not None and latest > soonest_mistake:
        not_begun = and_(_table.attempt == 0, _table.next_at > now + longest_back_off_ms)
        misdated = (IS_PENDING, _table.next_at > soonest_mistake, or_(_table.next_at > now + furthest_ms, not_begun))
        change = update(entry).where(locks.not_locked(connection, _table.id, *misdated)).values(next_at=now)
        if connection.execute(change).rowcount:
            return 0
    return None if following is None else following - now


def postpone(connection: Connection, waits: Sequence[Postponed], *, now: int) -> list[Postponed]:
    """Postpone entries that wait for names. Entries claimed meanwhile are not changed.

    Returns:
        Those that another transaction has locked: try again later.
    """
    busy = locks.busy_entries(connection, [one.entry.id for one in waits])
    rows = [
        {
            "of": one.entry.id,
            "number": one.entry.claim,
            "due_at": now + one.wait_ms,
            "waited": one.entry.waited_ms + one.spent_ms,
        }
        for one in waits
        if one.entry.id not in busy
    ]
    if rows:
        connection.execute(_POSTPONE, rows)
    return [one for one in waits if one.entry.id in busy]


def hasten(connection: Connection, *, now: int, longest_back_off_ms: int) -> None:
    """Make all entries that wait for another attempt due now, because the receiver works again.

    The oldest come first, but each attempt moves an entry back by one longest back-off: what fails again and again must
    not be the first one for ever. One that another transaction has locked keeps its date.
    """
    # While the receiver is down few entries are attempted, and many wait; the index holds only the former.
    attempted = _table.attempt > literal_column("0")
    waiting = locks.not_locked(connection, _table.id, IS_PENDING, attempted, _table.next_at > _table.stored_at)
    place = _table.stored_at + cast(_table.attempt - 1, BigInteger) * longest_back_off_ms
    # The rest of a wait that is cut short does not count as waited.
    unspent = case((_table.next_at > now, _table.next_at - now), else_=0)
    connection.execute(
        update(entry)
        .where(waiting)
        .values(
            next_at=case((place < now, place), else_=now),
            waited_ms=case((_table.waited_ms > unspent, _table.waited_ms - unspent), else_=0),
        )
    )


def release(connection: Connection) -> int:
    """End all claims when the process starts, and return their number. Only a dead predecessor can have made them.

    On PostgreSQL this does nothing, because other instances may be running: there a claim ends with its lease.
    """
    if connection.dialect.name == "postgresql":
        return 0
    left = and_(_table.state == PENDING, _table.claimed_until.is_not(None))
    return connection.execute(update(entry).where(left).values(claimed_until=None)).rowcount


def backlog(connection: Connection, now: int) -> Backlog:
    """Return how many entries wait and are dead, without the erased ones, which can't be delivered any longer."""
    counted, oldest_at = connection.execute(_COUNTED).one(), connection.execute(_OLDEST_PENDING).scalar()
    oldest_ms = 0 if oldest_at is None else max(0, now - oldest_at)
    # PostgreSQL's sum of numbers is no whole number of Python's.
    return Backlog(pending=int(counted.pending), dead=int(counted.dead), oldest_ms=oldest_ms)
