"""Statements about running instances: their leases, their channels, and the conversations that need a new owner.

Invariant: leases are compared only with the database's own clock.
"""

from sqlalchemy import Connection, case, delete, func, or_, select, update

from genesys_gateway.storage.portable import database_now, put_new
from genesys_gateway.storage.statements import tally, timeline
from genesys_gateway.storage.statements.conversations import FOLLOWED, NOT_RELEASED, PENDING, SUBSCRIBED
from genesys_gateway.storage.tables import channel, conversation, instance

_table = conversation.c


def enter(connection: Connection, instance_id: str, lease_ms: int) -> None:
    """Register a running instance with a lease. A repetition renews its lease."""
    now = database_now(connection)
    epoch = connection.execute(select(func.coalesce(func.max(instance.c.epoch), 0))).scalar_one() + 1
    row = {"id": instance_id, "epoch": epoch, "started_at": now, "lease_until": now + lease_ms}
    if not put_new(connection, instance, row):
        renew(connection, instance_id, lease_ms)
    tally.fold(connection)


def end_all_leases(connection: Connection) -> None:
    """End the leases of all earlier instances. Only for SQLite, whose file lock proves that they are gone."""
    now = database_now(connection)
    connection.execute(update(instance).where(instance.c.lease_until > now).values(lease_until=now))


def renew(connection: Connection, instance_id: str, lease_ms: int) -> bool:
    """Renew the lease from now on. Return False if the instance is no longer registered."""
    lease_until = database_now(connection) + lease_ms
    renewed = connection.execute(update(instance).where(instance.c.id == instance_id).values(lease_until=lease_until))
    return bool(renewed.rowcount)


def leave(connection: Connection, instance_id: str) -> None:
    """End the lease of an instance that has closed its sockets, so that others can adopt its conversations at once."""
    now = database_now(connection)
    connection.execute(update(instance).where(instance.c.id == instance_id).values(lease_until=now))


def adopt(connection: Connection, instance_id: str, *, lease_ms: int, now: int) -> list[str]:
    """Make an instance the owner of every followed conversation whose owner has no valid lease.

    A covered conversation becomes uncovered since the latest lease renewal of its previous owner. Of a released one
    only the owner changes.

    Returns:
        The ids of the conversations to be subscribed, oldest first: all of them but released ones.
    """
    living = select(instance.c.id).where(instance.c.lease_until > database_now(connection))
    query = (
        select(_table.id, _table.state, _table.released_at)
        .where(FOLLOWED, or_(_table.owner.is_(None), _table.owner.not_in(living)))
        .order_by(_table.created_at)
        .with_for_update(skip_locked=True)
    )
    orphans = connection.execute(query).all()
    renewed_at = select(instance.c.lease_until - lease_ms).where(instance.c.id == _table.owner).scalar_subquery()
    covered = _table.state == SUBSCRIBED
    for start in range(0, len(orphans), 1000):
        connection.execute(
            update(conversation)
            .where(_table.id.in_([row.id for row in orphans[start : start + 1000]]))
            .values(
                owner=instance_id,
                epoch=_table.epoch + 1,
                channel_id=None,
                state=PENDING,
                in_doubt=case((NOT_RELEASED, True), else_=_table.in_doubt),
                uncovered_since=case((covered, func.coalesce(renewed_at, now)), else_=_table.uncovered_since),
            )
        )
    timeline.note_all(connection, [row.id for row in orphans if row.state == SUBSCRIBED], now, "uncovered")
    _delete_ended(connection)
    return [row.id for row in orphans if row.released_at is None]


def pending_of(connection: Connection, instance_id: str) -> list[str]:
    """Return the conversations that this instance follows and that wait for their cover, oldest first."""
    query = (
        select(_table.id)
        .where(FOLLOWED, NOT_RELEASED, _table.state == PENDING, _table.owner == instance_id)
        .order_by(_table.created_at)
    )
    return list(connection.execute(query).scalars())


def followed_by(connection: Connection, instance_id: str) -> dict[str, str]:
    """Return the conversations that this instance follows, each with its state; without released ones."""
    query = select(_table.id, _table.state).where(FOLLOWED, NOT_RELEASED, _table.owner == instance_id)
    return {row.id: row.state for row in connection.execute(query)}


def _delete_ended(connection: Connection) -> None:
    """Delete ended instances that own no followed conversation, then their channels and closed channels."""
    owners = select(conversation.c.owner).where(FOLLOWED, conversation.c.owner.is_not(None))
    ended = instance.c.lease_until <= database_now(connection)
    connection.execute(delete(instance).where(ended, instance.c.id.not_in(owners)))
    without_owner = channel.c.owner.not_in(select(instance.c.id))
    connection.execute(delete(channel).where(or_(without_owner, channel.c.closed_at.is_not(None))))


def channel_created(connection: Connection, channel_id: str, instance_id: str, *, now: int, expires_at: int) -> None:
    """Store a channel that an instance created. A repetition changes nothing."""
    row = {"id": channel_id, "owner": instance_id, "created_at": now, "expires_at": expires_at}
    put_new(connection, channel, row)


def channel_closed(connection: Connection, channel_id: str, now: int) -> None:
    """Mark a channel that will never be connected again."""
    connection.execute(update(channel).where(channel.c.id == channel_id).values(closed_at=now))
