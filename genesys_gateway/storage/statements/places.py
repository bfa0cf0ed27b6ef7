"""Statements about places: rights to one connected channel each, within the budget of an OAuth client (ADR 0027).

Invariant: all transactions about the places of one client run one after the other. A place counts as long as its owner
may have a socket open, which is decided by the database's own clock.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, text

from genesys_gateway.storage.portable import database_now, give_hint, put_new
from genesys_gateway.storage.tables import channel, channel_place, instance

_table = channel_place.c

# The first number distinguishes these locks from other advisory locks; the second is a hash of the client. The lock
# ends with the transaction: so a COMMIT that is still under way is over before the next transaction counts.
_LOCK = text("SELECT pg_advisory_xact_lock(1347174739, hashtext(:client))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """The instance that asks."""

    #: hash that names its OAuth client
    client: str
    owner: str
    #: how long sockets may stay open after their owner's lease has ended
    heartbeat_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a transaction found and did."""

    #: number of places of the client that count now, over all instances
    taken: int
    #: whether the new place was reserved
    reserved: bool
    #: whether another instance of the client is handing its conversations over
    draining: bool


def reserve(connection: Connection, mine: Claimant, held: Collection[str], new: str, *, limit: int) -> Answer:
    """Reserve a place, with the id ``new``, if fewer than ``limit`` are taken. First do what :func:`settle` does.

    None is reserved for an instance that has ended.
    """
    before = settle(connection, mine, held)
    if before.taken >= limit or not _lives(connection, mine.owner):
        return before
    _put(connection, mine, new, database_now(connection))
    return replace(before, taken=before.taken + 1, reserved=True)


def settle(connection: Connection, mine: Claimant, held: Collection[str]) -> Answer:
    """Make the places of this instance in the database equal to those it holds, and count those of the client."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"client": mine.client})
    now = database_now(connection)
    rows = select(_table.id).where(_table.client == mine.client, _table.owner == mine.owner)
    stored = set(connection.execute(rows).scalars())
    if not_held := stored.difference(held):
        connection.execute(delete(channel_place).where(_table.id.in_(not_held)))
        give_hint(connection)  # others may wait for a place
    for one in sorted(set(held) - stored):  # lost by a failover of the database, but in use
        _put(connection, mine, one, now)
    counting = select(instance.c.id).where(_counts(now, mine.heartbeat_ms))
    over = and_(_table.client == mine.client, _table.owner.not_in(counting))
    unknown = _table.owner.not_in(select(instance.c.id))  # whatever their client, which may never come again
    connection.execute(delete(channel_place).where(or_(over, unknown)))
    count = select(func.count()).select_from(channel_place).where(_table.client == mine.client)
    taken = connection.execute(count).scalar_one() + _of_release_before(connection, now)
    return Answer(taken=taken, reserved=False, draining=_another_drains(connection, mine))


def _another_drains(connection: Connection, mine: Claimant) -> bool:
    others = and_(instance.c.client == mine.client, instance.c.id != mine.owner, instance.c.ended_at.is_(None))
    query = select(instance.c.id).where(others, instance.c.draining_at.is_not(None))
    return connection.execute(query.limit(1)).first() is not None


def _counts(now: int, heartbeat_ms: int) -> ColumnElement[bool]:
    """Whether an instance may have sockets open: one that left, or whose process is proven gone, has none."""
    lapsed = and_(instance.c.ended_how == "lapsed", instance.c.lease_until + heartbeat_ms > now)
    return or_(instance.c.ended_at.is_(None), lapsed)


def _of_release_before(connection: Connection, now: int) -> int:
    """Number of channels of running instances of the release before, which reserves no places; of whatever client."""
    living = select(instance.c.id).where(instance.c.client.is_(None), instance.c.lease_until > now)
    count = select(func.count()).select_from(channel)
    return connection.execute(count.where(channel.c.closed_at.is_(None), channel.c.owner.in_(living))).scalar_one()


def _lives(connection: Connection, owner: str) -> bool:
    query = select(instance.c.id).where(instance.c.id == owner, instance.c.ended_at.is_(None))
    return connection.execute(query).first() is not None


def _put(connection: Connection, mine: Claimant, place: str, now: int) -> None:
    row = {"id": place, "client": mine.client, "owner": mine.owner, "reserved_at": now}
    put_new(connection, channel_place, row)
