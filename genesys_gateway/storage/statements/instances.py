"""Statements about running instances: whose word holds, and whose conversations need a new owner.

Law: only the database's own clock is compared with a lease.
"""

from sqlalchemy import Connection, case, delete, func, or_, select, update

from genesys_gateway.storage.portable import database_now, put_new
from genesys_gateway.storage.statements import timeline
from genesys_gateway.storage.statements.conversations import CLOSED, PENDING, SUBSCRIBED
from genesys_gateway.storage.tables import channel, conversation, instance


def enter(connection: Connection, instance_id: str, lease_ms: int) -> None:
    """An instance says that it lives; a repetition renews its lease."""
    now = database_now(connection)
    epoch = connection.execute(select(func.coalesce(func.max(instance.c.epoch), 0))).scalar_one() + 1
    row = {"id": instance_id, "epoch": epoch, "started_at": now, "lease_until": now + lease_ms}
    if not put_new(connection, instance, row):
        renew(connection, instance_id, lease_ms)


def end_all_leases(connection: Connection) -> None:
    """Whoever was here before is gone: the lock of a SQLite file proves it."""
    now = database_now(connection)
    connection.execute(update(instance).where(instance.c.lease_until > now).values(lease_until=now))


def renew(connection: Connection, instance_id: str, lease_ms: int) -> bool:
    """Make the lease last from now on; False when the instance is known no longer."""
    lease_until = database_now(connection) + lease_ms
    renewed = connection.execute(update(instance).where(instance.c.id == instance_id).values(lease_until=lease_until))
    return bool(renewed.rowcount)


def leave(connection: Connection, instance_id: str) -> None:
    """The instance has closed its sockets: others may take its conversations at once."""
    now = database_now(connection)
    connection.execute(update(instance).where(instance.c.id == instance_id).values(lease_until=now))


def adopt(connection: Connection, instance_id: str, *, lease_ms: int, now: int) -> list[str]:
    """Become the owner of every followed conversation that no living instance owns.

    A covered one is uncovered since its owner renewed its lease the last time.

    Returns:
        The conversations, oldest first, to be followed here.
    """
    mine = conversation.c
    living = select(instance.c.id).where(instance.c.lease_until > database_now(connection))
    query = (
        select(mine.id, mine.state)
        .where(mine.state != CLOSED, or_(mine.owner.is_(None), mine.owner.not_in(living)))
        .order_by(mine.created_at)
        .with_for_update(skip_locked=True)
    )
    orphans = connection.execute(query).all()
    renewed_at = select(instance.c.lease_until - lease_ms).where(instance.c.id == mine.owner).scalar_subquery()
    covered = mine.state == SUBSCRIBED
    for start in range(0, len(orphans), 1000):
        connection.execute(
            update(conversation)
            .where(mine.id.in_([row.id for row in orphans[start : start + 1000]]))
            .values(
                owner=instance_id,
                epoch=mine.epoch + 1,
                channel_id=None,
                state=PENDING,
                in_doubt=True,
                uncovered_since=case((covered, func.coalesce(renewed_at, now)), else_=mine.uncovered_since),
            )
        )
    timeline.note_all(connection, [row.id for row in orphans if row.state == SUBSCRIBED], now, "uncovered")
    _forget(connection)
    return [row.id for row in orphans]


def pending_of(connection: Connection, instance_id: str) -> list[str]:
    """Whom this instance follows and does not cover, oldest first."""
    mine = conversation.c
    query = select(mine.id).where(mine.state == PENDING, mine.owner == instance_id).order_by(mine.created_at)
    return list(connection.execute(query).scalars())


def followed_by(connection: Connection, instance_id: str) -> dict[str, str]:
    """Whom this instance follows, each with its state."""
    mine = conversation.c
    query = select(mine.id, mine.state).where(mine.state.in_((PENDING, SUBSCRIBED)), mine.owner == instance_id)
    return {row.id: row.state for row in connection.execute(query)}


def _forget(connection: Connection) -> None:
    """Instances whose lease ended and who own nothing, their channels, and closed channels are of no use any more."""
    owners = select(conversation.c.owner).where(conversation.c.state != CLOSED, conversation.c.owner.is_not(None))
    ended = instance.c.lease_until <= database_now(connection)
    connection.execute(delete(instance).where(ended, instance.c.id.not_in(owners)))
    nobodys = channel.c.owner.not_in(select(instance.c.id))
    connection.execute(delete(channel).where(or_(nobodys, channel.c.closed_at.is_not(None))))


def channel_created(connection: Connection, channel_id: str, instance_id: str, *, now: int, expires_at: int) -> None:
    """Remember a channel before it is connected; a repetition changes nothing."""
    row = {"id": channel_id, "owner": instance_id, "created_at": now, "expires_at": expires_at}
    put_new(connection, channel, row)


def channel_closed(connection: Connection, channel_id: str, now: int) -> None:
    """This channel will never be connected again."""
    connection.execute(update(channel).where(channel.c.id == channel_id).values(closed_at=now))
