"""Statements about running instances: their leases, how they end, and their channels.

Invariant: leases are compared only with the database's own clock. An instance that was declared ended never renews its
lease again; it enters under another id. An instance of the release before, whose ``client`` is null, knows nothing of
that: it has ended as long as its lease is over.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)

from genesys_gateway.runtime.clock import DAY_SECONDS
from genesys_gateway.storage import instance_lock
from genesys_gateway.storage.portable import database_now, give_hint, put_new
from genesys_gateway.storage.statements import tally
from genesys_gateway.storage.statements.conversations import FOLLOWED
from genesys_gateway.storage.statements.succession import Life, telling, unreplaced
from genesys_gateway.storage.tables import channel, channel_place, conversation, entry, instance

_row = instance.c

#: How an instance ended: it said so itself, its process is gone, or its lease ran out.
LEFT, PROVEN, LAPSED = "left", "proven", "lapsed"
#: How long the row of an ended instance is kept at most for its places in the budget, or for its endpoint.
_SEEN_MS = round(DAY_SECONDS * 1000)
#: Maximum number of lost instances whose rows are kept: each look reads all.
_MOST_LOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """The other instances that have not ended."""

    #: number of all, with those that drain
    others: int
    #: number of those with a lease that could take over conversations now
    running: int
    #: number of those that use the same OAuth client, or may do so
    on_client: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """One instance as operators see it."""

    id: str
    #: running, draining, lost or left
    state: str
    #: when its lease ends, and when it was renewed (None by the release before); epoch milliseconds
    lease_until: int
    renewed_at: int | None
    #: host and address at which it listens; None if another may have the same
    endpoint: str | None
    #: numbers of its channels and of the conversations that it follows
    channels: int
    conversations: int


def has_ended(now: int | BindParameter[int]) -> ColumnElement[bool]:
    """Condition: the instance in this row has ended. ``now`` is the database's time."""
    return case((_row.client.is_(None), _row.lease_until <= now), else_=_row.ended_at.is_not(None))


def living(now: int | BindParameter[int]) -> Select[tuple[str]]:
    """The ids of instances that have not ended. ``now`` is the database's time."""
    return select(_row.id).where(~has_ended(now))


def _forgettable(now: BindParameter[int]) -> ColumnElement[bool]:
    owners = select(conversation.c.owner).where(FOLLOWED, conversation.c.owner.is_not(None))
    has_places = and_(
        _row.ended_how == LAPSED,
        _row.ended_at > now - _SEEN_MS,
        select(channel_place.c.id).where(channel_place.c.owner == _row.id).exists(),
    )
    wanted = _row.id.in_(bindparam("wanted", expanding=True))
    return and_(has_ended(now), ~has_places, ~wanted, _row.id.not_in(owners))


_FORGET_ENDED = delete(instance).where(_forgettable(bindparam("now", type_=BigInteger)))
_SHOWN = (
    *(_row.id, _row.client, _row.endpoint, _row.renewed_at, _row.lease_until),
    *(_row.draining_at, _row.ended_at, _row.ended_how),
)
#: Of the release before nobody knows how it ended.
_LIVES = select(
    *(_row.id, _row.endpoint, _row.started_at, _row.renewed_at, _row.reported_at),
    *(_row.lease_until, _row.ended_at, _row.ended_how),
).where(_row.client.is_not(None), _row.renewed_at.is_not(None))
_FORGET_CHANNELS = delete(channel).where(or_(channel.c.owner.not_in(select(_row.id)), channel.c.closed_at.is_not(None)))


def enter(
    connection: Connection,
    instance_id: str,
    lease_ms: int,
    *,
    client: str | None = None,
    endpoint: str | None = None,
    process: str | None = None,
) -> bool:
    """Register a running instance with a lease. A repetition renews its lease.

    Args:
        client: Names its OAuth client.
        endpoint: Where it listens; None if another instance may listen there, too.
        process: Names its process, see :mod:`genesys_gateway.runtime.process`.

    Returns:
        False if it was declared ended meanwhile: it must enter under another id.
    """
    now = database_now(connection)
    epoch = connection.execute(select(func.coalesce(func.max(_row.epoch), 0))).scalar_one() + 1
    row = {
        "id": instance_id,
        "epoch": epoch,
        "started_at": now,
        "lease_until": now + lease_ms,
        "client": client,
        "endpoint": endpoint,
        "process": process,
        "lease_ms": lease_ms,
        "renewed_at": now,
    }
    entered = put_new(connection, instance, row) or renew(connection, instance_id, lease_ms)
    tally.fold(connection)
    return entered


def renew(connection: Connection, instance_id: str, lease_ms: int, *, covers: bool = True) -> bool:
    """Renew the lease from now on, even if it is over. False if the instance was declared ended, or is unknown.

    Args:
        covers: Whether the instance has stored all that it knows to be covered no longer. Otherwise what it covers is
            in doubt, as if the lease had not been renewed.
    """
    now = database_now(connection)
    mine = and_(_row.id == instance_id, _row.ended_at.is_(None))
    values = {"lease_until": now + lease_ms, "lease_ms": lease_ms} | ({"renewed_at": now} if covers else {})
    renewed = connection.execute(update(instance).where(mine).values(values))
    return bool(renewed.rowcount)


def drain(connection: Connection, instance_id: str) -> None:
    """Note that an instance is about to stop, and that others are to take over its conversations."""
    mine = and_(_row.id == instance_id, _row.draining_at.is_(None))
    connection.execute(update(instance).where(mine).values(draining_at=database_now(connection)))
    give_hint(connection)


def leave(connection: Connection, instance_id: str) -> None:
    """End the lease of an instance that has closed its sockets, so that others can adopt its conversations at once."""
    now = database_now(connection)
    mine = and_(_row.id == instance_id, _row.ended_at.is_(None))
    if connection.execute(update(instance).where(mine).values(lease_until=now, ended_at=now, ended_how=LEFT)).rowcount:
        _end_claims(connection, [instance_id], now)
    give_hint(connection)


def end_all_leases(connection: Connection) -> None:
    """End all earlier instances. Only for SQLite, whose file lock proves that they are gone."""
    now = database_now(connection)
    connection.execute(update(instance).where(_row.lease_until > now).values(lease_until=now))
    ended = update(instance).where(_row.ended_at.is_(None)).values(ended_at=now, ended_how=PROVEN)
    connection.execute(ended)


def leases_of_others(connection: Connection, instance_id: str) -> dict[str, int]:
    """Return until when the lease of each other instance lasts that was not declared ended."""
    others = select(_row.id, _row.lease_until).where(
        _row.id != instance_id, _row.ended_at.is_(None), _row.client.is_not(None)
    )
    return {row.id: row.lease_until for row in connection.execute(others)}


def declare_lapsed(connection: Connection, suspects: Collection[str]) -> list[str]:
    """Declare those of these instances ended whose lease is over; returns their ids.

    Their claims on entries are left to run out: a process that has lost only its database may go on with an attempt.

    Args:
        suspects: Instances that were seen to renew no lease for as long as one lasts.
    """
    now = database_now(connection)
    over = and_(_row.id.in_(suspects), _row.ended_at.is_(None), _row.lease_until <= now)
    ids = list(connection.execute(select(_row.id).where(over).with_for_update(skip_locked=True)).scalars())
    return _declare(connection, ids, LAPSED, now)


def declare_proven(
    connection: Connection, instance_id: str, endpoint: str | None, *, is_gone: Callable[[str | None], bool]
) -> list[str]:
    """Declare ended which instances listened at the same endpoint and are gone; returns their ids.

    That is proven by their advisory lock, which is free, and by the kernel, which knows their process no longer. On
    SQLite, where the lock of the file proves it, nothing is done.

    Args:
        is_gone: Whether the process with this name has certainly ended.
    """
    if endpoint is None or connection.dialect.name != "postgresql":
        return []
    there = and_(_row.endpoint == endpoint, _row.id != instance_id, _row.ended_at.is_(None), _row.client.is_not(None))
    found = connection.execute(select(_row.id, _row.process).where(there).with_for_update(skip_locked=True)).all()
    gone = [one.id for one in found if is_gone(one.process) and instance_lock.is_free(connection, one.id)]
    now = database_now(connection)
    if gone:
        _end_claims(connection, gone, now)
    return _declare(connection, gone, PROVEN, now)


def _declare(connection: Connection, ids: list[str], how: str, now: int) -> list[str]:
    if ids:
        change = update(instance).where(_row.id.in_(ids), _row.ended_at.is_(None))
        connection.execute(change.values(ended_at=now, ended_how=how))
        give_hint(connection)
    return ids


def _end_claims(connection: Connection, ids: list[str], now: int) -> None:
    """End the claims of ended instances on entries: they are attempted again, as after a crash."""
    claimed = and_(entry.c.claimed_until.is_not(None), entry.c.claimed_by.in_(ids), entry.c.claimed_until > now)
    free = select(entry.c.id).where(claimed).with_for_update(skip_locked=True)
    connection.execute(update(entry).where(entry.c.id.in_(free)).values(claimed_until=now))


def peers(connection: Connection, instance_id: str, client: str | None) -> Peers:
    """Count the other instances that have not ended."""
    now = database_now(connection)
    others = select(_row.client, _row.draining_at, _row.lease_until).where(~has_ended(now), _row.id != instance_id)
    rows = connection.execute(others).all()
    return Peers(
        others=len(rows),
        running=sum(row.lease_until > now and row.draining_at is None and row.client is not None for row in rows),
        on_client=sum(row.client in (client, None) for row in rows),
    )


def listed(connection: Connection) -> list[InstanceFacts]:
    """Return what is known of each instance, the latest first."""
    channels = select(func.count()).where(channel.c.owner == _row.id, channel.c.closed_at.is_(None)).scalar_subquery()
    followed = select(func.count()).where(FOLLOWED, conversation.c.owner == _row.id).scalar_subquery()
    query = select(*_SHOWN, channels.label("channels"), followed.label("conversations")).order_by(_row.epoch.desc())
    now = database_now(connection)
    return [
        InstanceFacts(
            id=row.id,
            state=_state(row, now),
            lease_until=row.lease_until,
            renewed_at=row.renewed_at,
            endpoint=None if row.endpoint is None else " ".join(row.endpoint.split()[:2]),
            channels=row.channels,
            conversations=row.conversations,
        )
        for row in connection.execute(query)
    ]


def _state(row: Any, now: int) -> str:
    if row.ended_how == LEFT:
        return "left"
    if row.lease_until <= now or (row.ended_at is not None and row.client is not None):
        return "lost"
    return "running" if row.draining_at is None else "draining"


def forget_ended(connection: Connection) -> None:
    """Delete ended instances that own no followed conversation, then their channels and closed channels.

    One that was lost stays until its places in the budget are given to others (or for a day), and until each lost one
    has a successor, so that operators see what is missing. So do those of the last day that left meanwhile: they tell
    whose successor a newcomer is. Of the lost ones only some tell more than the others, and only those stay.
    """
    now = database_now(connection)
    lives = telling(lives_of(connection), now, most=_MOST_LOST)
    missing = unreplaced(lives, now)
    wanted = [one.id for one in lives if missing and (not one.left or _left_lately(one, now))]
    connection.execute(_FORGET_ENDED, {"now": now, "wanted": wanted})
    connection.execute(_FORGET_CHANNELS)


def lives_of(connection: Connection) -> list[Life]:
    """Return the life of each instance that is known, but of the release before."""
    return [
        Life(
            id=row.id,
            started_at=row.started_at,
            # It reports more often than it renews: what began before its latest report did not take its place.
            renewed_at=max(row.renewed_at, row.reported_at or 0),
            lease_until=row.lease_until,
            endpoint=row.endpoint,
            ended_at=row.ended_at,
            left=row.ended_how == LEFT,
        )
        for row in connection.execute(_LIVES)
    ]


def _left_lately(one: Life, now: int) -> bool:
    return one.ended_at is not None and one.ended_at > now - _SEEN_MS


def channel_created(connection: Connection, channel_id: str, instance_id: str, *, now: int, expires_at: int) -> None:
    """Store a channel that an instance created. A repetition changes nothing."""
    row = {"id": channel_id, "owner": instance_id, "created_at": now, "expires_at": expires_at}
    put_new(connection, channel, row)


def channel_closed(connection: Connection, channel_id: str, now: int) -> None:
    """Mark a channel that will never be connected again."""
    connection.execute(update(channel).where(channel.c.id == channel_id).values(closed_at=now))
