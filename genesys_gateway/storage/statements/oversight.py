"""Statements that tell operators what is wrong, as far as the database knows, and what instances say of themselves.

Invariant: they are run again and again, so none visits closed conversations or delivered records. Only :func:`publish`
changes something: what the instance says of itself.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, and_, bindparam, func, literal_column, select, update

from genesys_gateway.runtime.clock import HOUR_SECONDS
from genesys_gateway.storage.portable import database_now
from genesys_gateway.storage.statements import instances, owners
from genesys_gateway.storage.statements.conversations import FOLLOWED, NOT_RELEASED, PENDING, SUBSCRIBED
from genesys_gateway.storage.statements.outbox import IS_DEAD
from genesys_gateway.storage.statements.succession import unreplaced
from genesys_gateway.storage.tables import conversation, entry, instance, quarantine, transition

_conversation = conversation.c
_entry = entry.c
_row = instance.c

#: How long a frame that was set aside is a trouble, in milliseconds.
_SET_ASIDE_MS = round(HOUR_SECONDS * 1000)
#: Number of dead records, the oldest, whose errors are counted; and of those whose death is looked up.
_ERRORS_OF, _DEATHS_OF = 1000, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Things that are wrong: how many, since when, and what is said most often about them."""

    count: int
    #: epoch milliseconds
    since: int
    most: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """The oldest dead records."""

    #: since when the first of them is dead, in epoch milliseconds
    since: int
    #: how many there are of each pair of a reason and a last error
    errors: Mapping[tuple[str | None, str | None], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Instances that ended without leaving, and conversations that still wait for another owner."""

    count: int
    #: epoch milliseconds
    since: int
    orphans: int


_OLDEST_DEAD = (
    select(_entry.id, _entry.conversation_id, _entry.stored_at, _entry.last_error, _entry.reason)
    .where(IS_DEAD, _entry.content.is_not(None))
    .order_by(_entry.stored_at, _entry.id)
)
_SOME_DEAD = _OLDEST_DEAD.limit(_ERRORS_OF).subquery()
_PAIR = (_SOME_DEAD.c.reason, _SOME_DEAD.c.last_error)
_ERRORS = select(*_PAIR, func.count()).group_by(*_PAIR)
_FIRST_DEAD = _OLDEST_DEAD.limit(_DEATHS_OF)
_DEATHS = select(transition.c.at, transition.c.detail).where(
    transition.c.conversation_id.in_(bindparam("ids", expanding=True)), transition.c.event == literal_column("'dead'")
)


def dead(connection: Connection) -> Dead | None:
    """Return what is known of the oldest 1,000 dead records that can be requeued; None if there is none."""
    errors = {(reason, error): count for reason, error, count in connection.execute(_ERRORS)}
    return Dead(since=_first_death(connection), errors=errors) if errors else None


def _first_death(connection: Connection) -> int:
    """When the first of the oldest dead records was given up, by their timelines."""
    oldest = connection.execute(_FIRST_DEAD).all()
    died: dict[str, int] = {}
    for at, detail in connection.execute(_DEATHS, {"ids": sorted({row.conversation_id for row in oldest})}):
        one = (detail or "").partition(" ")[0]
        died[one] = max(at, died.get(one, 0))
    return min(died.get(row.id, int(row.stored_at)) for row in oldest)


def _most(counts: Counter[str]) -> str | None:
    """What was counted most often; of several the first by name, so that all instances say the same."""
    return min(counts, key=lambda one: (-counts[one], one)) or None


#: The condition of the index ``conversation_unresolved``, word for word, because SQLite uses the index for no other.
IS_UNRESOLVED = and_(_conversation.outcome == literal_column("'unresolved'"), _conversation.erased_at.is_(None))
_UNRESOLVED = select(func.count(), func.min(_conversation.closed_at)).where(
    IS_UNRESOLVED, _conversation.closed_at.is_not(None)
)


def unresolved(connection: Connection) -> Counted | None:
    """Return how many conversations are closed as unresolved and not erased, since the first; None if there is none."""
    count, since = connection.execute(_UNRESOLVED).one()
    return Counted(count=count, since=since) if count else None


_SET_ASIDE = (
    select(quarantine.c.reason, func.count(), func.min(quarantine.c.at))
    .where(quarantine.c.at > bindparam("after", type_=BigInteger))
    .group_by(quarantine.c.reason)
)


def set_aside(connection: Connection, now: int) -> Counted | None:
    """Return how many frames were set aside in the last hour, since when, and why most were; None if there is none.

    Args:
        now: Epoch milliseconds.
    """
    rows = connection.execute(_SET_ASIDE, {"after": now - _SET_ASIDE_MS}).all()
    if not rows:
        return None
    reasons = Counter({reason: count for reason, count, _ in rows})
    return Counted(count=reasons.total(), since=min(first for _, _, first in rows), most=_most(reasons))


_LAST_DELIVERY = select(func.max(_entry.delivered_at)).where(
    _entry.erased_at.is_(None), _entry.delivered_at.is_not(None)
)


def last_delivery(connection: Connection) -> int | None:
    """Return when the latest record was stored as delivered, by any instance; None if that is not known."""
    found: int | None = connection.execute(_LAST_DELIVERY).scalar_one()
    return found


_UNCOVERED_SINCE = func.coalesce(_conversation.uncovered_since, _conversation.created_at)
_UNCOVERED = select(func.count(), func.min(_UNCOVERED_SINCE)).where(
    FOLLOWED,
    _conversation.state == PENDING,
    NOT_RELEASED,
    bindparam("before", type_=BigInteger) >= _UNCOVERED_SINCE,
)
_IN_DOUBT = select(_row.id, _row.renewed_at, _row.lease_until).where(_row.id.not_in(owners.CERTAIN))
_STORED_AS_COVERED = (
    select(_conversation.owner, func.count())
    .where(FOLLOWED, _conversation.state == SUBSCRIBED, _conversation.owner.in_(bindparam("owners", expanding=True)))
    .group_by(_conversation.owner)
)


def uncovered(connection: Connection, *, before: int) -> Counted | None:
    """Return how many conversations have been covered by no open socket since ``before`` or earlier.

    On PostgreSQL it includes those that are stored as covered, but whose owner may be gone. None if there is none.

    Args:
        before: Epoch milliseconds.
    """
    count, since = connection.execute(_UNCOVERED, {"before": before}).one()
    found = [(count, since)] if count else []
    if connection.dialect.name == "postgresql":
        found += _left_in_doubt(connection)
    if not found:
        return None
    return Counted(count=sum(number for number, _ in found), since=min(at for _, at in found))


def _left_in_doubt(connection: Connection) -> list[tuple[int, int]]:
    """For each owner that may be gone: how many conversations it is said to cover, and until when that is certain."""
    certain_until = {
        row.id: row.lease_until if row.renewed_at is None else row.renewed_at for row in connection.execute(_IN_DOUBT)
    }
    if not certain_until:
        return []
    covered = connection.execute(_STORED_AS_COVERED, {"owners": list(certain_until)})
    return [(count, certain_until[owner]) for owner, count in covered]


def lost(connection: Connection) -> Lost | None:
    """Return how many instances are lost: nothing runs in their place, or their conversations have no living owner."""
    now = database_now(connection)
    lives = instances.lives_of(connection)
    gone = {one.id: one for one in lives if one.lost(now)}
    if not gone:
        return None
    missing = {one.id for one in unreplaced(lives, now)}
    followed = _followed_by(connection, list(gone))
    wanted = [one for one in gone.values() if one.id in missing or followed.get(one.id)]
    if not wanted:
        return None
    since = min(min(one.lease_until, one.ended_at or one.lease_until) for one in wanted)
    return Lost(count=len(wanted), since=since, orphans=sum(followed.values()))


_FOLLOWED_BY = (
    select(_conversation.owner, func.count())
    .where(FOLLOWED, _conversation.owner.in_(bindparam("owners", expanding=True)))
    .group_by(_conversation.owner)
)


def _followed_by(connection: Connection, ids: list[str]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(_FOLLOWED_BY, {"owners": ids})}


_PUBLISH = (
    update(instance)
    .where(_row.id == bindparam("mine"), _row.ended_at.is_(None))
    .values(report=bindparam("said"), reported_at=bindparam("moment", type_=BigInteger))
)
_REPORTS = select(_row.id, _row.report).where(
    _row.report.is_not(None),
    _row.ended_at.is_(None),
    _row.lease_until > bindparam("now", type_=BigInteger),
    _row.reported_at > bindparam("oldest", type_=BigInteger),
)


def publish(connection: Connection, instance_id: str, report: str) -> None:
    """Store what an instance says of itself, as JSON. Without effect if it has ended."""
    now = database_now(connection)
    connection.execute(_PUBLISH, {"mine": instance_id, "said": report, "moment": now})


def reports(connection: Connection, *, fresh_ms: int) -> dict[str, str]:
    """Return what living instances say of themselves, by their ids, if they said it at most ``fresh_ms`` ago."""
    now = database_now(connection)
    rows = connection.execute(_REPORTS, {"now": now, "oldest": now - fresh_ms})
    return {row.id: row.report for row in rows}
