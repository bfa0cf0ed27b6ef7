"""Statements about the owners of conversations: what an instance adopts, takes over, offers, and still has.

Invariant: each statement leaves out what another transaction has locked, and takes at most as many rows as it is told.
A conversation that one instance is taking over is taken by no other while that one lives.
"""

from collections.abc import Sequence
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
    func,
    or_,
    select,
    update,
)

from genesys_gateway.storage.portable import database_now, give_hint
from genesys_gateway.storage.statements import locks, timeline
from genesys_gateway.storage.statements.conversations import FOLLOWED, NOT_RELEASED, PENDING, SUBSCRIBED
from genesys_gateway.storage.statements.instances import living
from genesys_gateway.storage.tables import conversation, instance

_table = conversation.c

#: Maximum number of conversations in one transaction.
SLICE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an instance took in one transaction."""

    #: conversations whose topics it has to subscribe now
    to_follow: list[str]
    #: number of all that it took, those whose topic was given back among them
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What has become of conversations that an instance offered, by their ids."""

    #: nobody has taken them, and they have no topic here either
    open: list[str]
    #: another instance owns them
    taken: list[str]


def _takers(lives: Select[tuple[str]]) -> Select[tuple[str]]:
    """Instances that will cover what they are taking over: one that drains as well takes nothing more."""
    return lives.where(instance.c.draining_at.is_(None))


def _chosen(condition: ColumnElement[bool], limit: int | BindParameter[int], *order: ColumnElement[Any]) -> Select[Any]:
    query = select(_table.id, _table.state, _table.released_at).where(condition).order_by(*order).limit(limit)
    return query.with_for_update(skip_locked=True)


_LIVES = living(bindparam("now", type_=BigInteger))
_WITHOUT_OWNER = and_(
    FOLLOWED,
    or_(_table.owner.is_(None), _table.owner.not_in(_LIVES)),
    or_(
        _table.next_owner.is_(None),
        _table.next_owner == bindparam("me"),
        _table.next_owner.not_in(_takers(_LIVES)),
    ),
)
_MOST = bindparam("most", type_=BigInteger)
_ORPHANS = _chosen(_WITHOUT_OWNER, _MOST, _table.created_at)
_ENDED_LATELY = select(instance.c.id).where(
    func.coalesce(instance.c.ended_at, instance.c.lease_until) > bindparam("lately", type_=BigInteger)
)
_ORPHANS_OF_LONG = _chosen(
    and_(_WITHOUT_OWNER, or_(_table.owner.is_(None), _table.owner.not_in(_ENDED_LATELY))), _MOST, _table.created_at
)


def adopt(
    connection: Connection, instance_id: str, *, lease_ms: int, now: int, limit: int, ended_ms_ago: int = 0
) -> Taken:
    """Make an instance the owner of followed conversations whose owner has ended, oldest first.

    A covered conversation becomes uncovered since the latest lease renewal of its previous owner. Of a released one
    only the owner changes. The rows of ended instances stay; see :func:`instances.forget_ended`.

    Args:
        limit: Maximum number of conversations.
        ended_ms_ago: Only those whose owner ended so long ago, or is unknown.
    """
    asked = database_now(connection)
    facts = {"me": instance_id, "now": asked, "most": limit, "lately": asked - ended_ms_ago}
    orphans = connection.execute(_ORPHANS_OF_LONG if ended_ms_ago else _ORPHANS, facts).all()
    if not orphans:
        return Taken(to_follow=[], total=0)
    renewed_at = func.coalesce(instance.c.renewed_at, instance.c.lease_until - lease_ms)
    last_renewal = select(renewed_at).where(instance.c.id == _table.owner).scalar_subquery()
    covered = _table.state == SUBSCRIBED
    _take(
        connection,
        [row.id for row in orphans],
        instance_id,
        state=PENDING,
        channel_id=None,
        in_doubt=case((NOT_RELEASED, True), else_=_table.in_doubt),
        uncovered_since=case((covered, func.coalesce(last_renewal, now)), else_=_table.uncovered_since),
    )
    timeline.note_all(connection, [row.id for row in orphans if row.state == SUBSCRIBED], now, "uncovered")
    return _taken(orphans)


def take_over(connection: Connection, instance_id: str, *, limit: int) -> Taken:
    """Take over conversations of draining instances, one channel after the other.

    A covered one keeps its owner until :func:`~coverage.cover` reports that this instance covers it; then no
    moment was uncovered. Of any other one this instance becomes the owner at once.
    """
    lives = living(database_now(connection))
    draining = lives.where(instance.c.draining_at.is_not(None), instance.c.id != instance_id)
    offered = and_(
        FOLLOWED,
        _table.owner.in_(draining),
        or_(_table.next_owner.is_(None), _table.next_owner.not_in(_takers(lives))),
    )
    rows = _lock(connection, offered, limit, _table.channel_id, _table.created_at)
    covered = [row.id for row in rows if row.state == SUBSCRIBED]
    if covered:
        connection.execute(update(conversation).where(_table.id.in_(covered)).values(next_owner=instance_id))
    _take(connection, [row.id for row in rows if row.state != SUBSCRIBED], instance_id)
    if len(covered) < len(rows):
        give_hint(connection)
    return _taken(rows)


def offer(connection: Connection, instance_id: str, ids: Sequence[str], *, now: int) -> None:
    """Offer conversations to other instances, because this one, their owner, has no place for their topics."""
    waiting = and_(_table.id.in_(ids), FOLLOWED, NOT_RELEASED, _table.owner == instance_id, _table.state == PENDING)
    change = update(conversation).where(locks.not_locked(connection, _table.id, waiting, _table.offered_at.is_(None)))
    if connection.execute(change.values(offered_at=now)).rowcount:
        give_hint(connection)


def take_offered(connection: Connection, instance_id: str, *, limit: int) -> Taken:
    """Become the owner of conversations that others offer, longest offered first."""
    offered = and_(
        FOLLOWED,
        NOT_RELEASED,
        _table.offered_at.is_not(None),
        _table.state == PENDING,
        _table.owner != instance_id,
    )
    rows = _lock(connection, offered, limit, _table.offered_at)
    _take(connection, [row.id for row in rows], instance_id)
    return _taken(rows)


def _taken(rows: Sequence[Any]) -> Taken:
    return Taken(to_follow=[row.id for row in rows if row.released_at is None], total=len(rows))


def _lock(connection: Connection, condition: ColumnElement[bool], limit: int, *order: ColumnElement[Any]) -> list[Any]:
    return list(connection.execute(_chosen(condition, limit, *order)).all())


def _take(connection: Connection, ids: Sequence[str], instance_id: str, **changes: Any) -> None:
    if ids:
        connection.execute(
            update(conversation)
            .where(_table.id.in_(ids))
            .values(owner=instance_id, next_owner=None, offered_at=None, epoch=_table.epoch + 1, **changes)
        )


def give_up(connection: Connection, instance_id: str, *, since: int, now: int, limit: int) -> int:
    """Mark what a draining instance still covers as uncovered since ``since``, before it closes its sockets.

    Returns:
        The number of conversations that were marked; those that others have locked are left out.
    """
    mine = and_(FOLLOWED, _table.owner == instance_id, _table.state == SUBSCRIBED)
    ids = [row.id for row in _lock(connection, mine, limit, _table.id)]
    if ids:
        gone = {"state": PENDING, "uncovered_since": since, "in_doubt": True, "channel_id": None}
        connection.execute(update(conversation).where(_table.id.in_(ids)).values(gone))
        timeline.note_all(connection, ids, now, "uncovered")
    return len(ids)


def _followed_by(instance_id: str | BindParameter[str]) -> ColumnElement[bool]:
    """Condition: the instance owns it or is taking it over, and its topic is, or is to be, subscribed."""
    return and_(FOLLOWED, NOT_RELEASED, or_(_table.owner == instance_id, _table.next_owner == instance_id))


_PENDING_OF = (
    select(_table.id)
    .where(_followed_by(bindparam("me")), or_(_table.state == PENDING, _table.owner != bindparam("me")))
    .order_by(_table.created_at)
)


def pending_of(connection: Connection, instance_id: str) -> list[str]:
    """Return the conversations that this instance follows and that wait for its cover, oldest first."""
    return list(connection.execute(_PENDING_OF, {"me": instance_id}).scalars())


def followed_by(connection: Connection, instance_id: str) -> dict[str, str]:
    """Return the conversations that this instance follows, each with its state; without released ones.

    One that it is still taking over counts as pending.
    """
    state = case((_table.owner == instance_id, _table.state), else_=PENDING)
    query = select(_table.id, state.label("state")).where(_followed_by(instance_id))
    return {row.id: row.state for row in connection.execute(query)}


def remaining_of(connection: Connection, instance_id: str) -> set[str]:
    """Return the conversations whose topics only this instance has, or is to have."""
    query = select(_table.id).where(FOLLOWED, NOT_RELEASED, _table.owner == instance_id)
    return set(connection.execute(query).scalars())


def offers(connection: Connection, instance_id: str, ids: Sequence[str]) -> Offers:
    """Find out what has become of conversations that this instance has offered."""
    query = select(_table.id, _table.owner, _table.next_owner, _table.offered_at)
    found = connection.execute(
        query.where(_table.id.in_(bindparam("ids", expanding=True)), FOLLOWED), {"ids": list(ids)}
    ).all()
    return Offers(
        open=[row.id for row in found if row.owner == instance_id and row.offered_at is not None],
        taken=[row.id for row in found if instance_id not in (row.owner, row.next_owner)],
    )
