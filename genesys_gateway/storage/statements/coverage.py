"""Statements about coverage: which conversations an open socket covers, and which had a gap, so that they are due.

Invariant: a conversation that was not covered for a moment is in doubt until an answer from after that moment.
"""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import BigInteger, Connection, Update, bindparam, case, false, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from genesys_gateway.storage.many_rows import is_among
from genesys_gateway.storage.statements import owners, timeline
from genesys_gateway.storage.statements.conversations import FOLLOWED, NOT_RELEASED, PENDING, SUBSCRIBED
from genesys_gateway.storage.tables import conversation

_table = conversation.c

#: A registration is covered within this time (milliseconds) as a rule. A talk that was registered at its start has no
#: finished after-call work then, so the first question about it is not urgent. After a longer wait it may be.
_SHORT_WAIT_MS = 10_000

_IDS = is_among(_table.id, "ids")
_OF_OTHERS = select(_table.id).where(_IDS, FOLLOWED, NOT_RELEASED, _table.owner != bindparam("of"))
_SUBSCRIBED_BY = (_table.state == SUBSCRIBED) & (_table.owner == bindparam("of"))
_UNCOVER = (
    update(conversation)
    .where(_IDS, _SUBSCRIBED_BY)
    .values(state=PENDING, uncovered_since=bindparam("since"), in_doubt=True, channel_id=None)
    .returning(_table.id)
)
_NOW = bindparam("moment", type_=BigInteger)
#: A gap that ends now. An answer from before, or from analytics that lag, can't clear its doubt.
_GAP_UNTIL_NOW = update(conversation).values(
    due_at=_NOW, in_doubt=True, asked=0, covered_at=case((_table.state == SUBSCRIBED, _NOW), else_=_table.covered_at)
)
_GAP_OF_SOME = _GAP_UNTIL_NOW.where(_IDS, FOLLOWED)
_GAP_OF_OTHERS = _GAP_OF_SOME.where(NOT_RELEASED, _table.owner != bindparam("of"))
_GAP_OF_ALL = _GAP_UNTIL_NOW.where(FOLLOWED)
_FREE = select(_table.id).where(FOLLOWED).with_for_update(skip_locked=True, key_share=True)
_GAP_OF_FREE = _GAP_UNTIL_NOW.where(_table.id.in_(_FREE)).returning(_table.id)
_FOLLOWED_IDS = select(_table.id).where(FOLLOWED)


def cover(
    connection: Connection, ids: Sequence[str], *, channel_id: str, owner: str, now: int, fresh_due_at: int
) -> list[str]:
    """Mark conversations as covered: their topics are confirmed on an open socket of their owner, or of the next one.

    Those that were not covered before become due, because events may have been missed in the gap. A released one stays
    as it is, because its topic was confirmed before the release. An instance that was taking one over is its owner now.

    Args:
        owner: The instance whose socket it is.
        fresh_due_at: When to ask about those covered for the first time and at once after their registration (epoch
            milliseconds); about all others it is asked now.

    Returns:
        Those that another instance owns: nothing was changed about them.
    """
    newly, all_mine = _cover_statements(connection.dialect.name)
    facts = {"ids": ids, "of": owner, "channel": channel_id, "moment": now}
    dates = {"fresh_date": fresh_due_at, "short_wait": now - _SHORT_WAIT_MS}
    newly_covered = list(connection.execute(newly, facts | dates).scalars())
    timeline.note_all(connection, newly_covered, now, "subscribed")
    if len(newly_covered) == len(ids) or connection.execute(all_mine, facts).rowcount == len(ids):
        return []
    return list(connection.execute(_OF_OTHERS, {"ids": ids, "of": owner}).scalars())


@cache
def _cover_statements(dialect: str) -> tuple[ReturningUpdate[str], Update]:
    """Return changes of conversations to be covered: of those that had a gap until now, and of all."""
    was_pending = _table.state == PENDING
    mine = or_(_table.owner == bindparam("of"), _table.next_owner == bindparam("of"))
    # Whether the owner before has covered it until now is certain only while it lives, and its reports are stored.
    in_doubt = _table.owner.not_in(owners.CERTAIN) if dialect == "postgresql" else false()
    left = (_table.owner != bindparam("of")) & in_doubt
    fresh = was_pending & _table.covered_at.is_(None) & (_table.uncovered_since > bindparam("short_wait"))
    change = (
        update(conversation)
        .where(_IDS, FOLLOWED, NOT_RELEASED, mine)
        .values(
            channel_id=bindparam("channel"),
            owner=bindparam("of"),
            next_owner=None,
            offered_at=None,
            uncovered_since=None,
            state=SUBSCRIBED,
        )
    )
    after_gap = change.where(or_(was_pending, left)).values(
        covered_at=_NOW,
        in_doubt=case((left, True), else_=_table.in_doubt),
        due_at=case((fresh, bindparam("fresh_date")), else_=_NOW),
        asked=0,
    )
    return after_gap.returning(_table.id), change


def uncover(connection: Connection, ids: Sequence[str], *, owner: str, since: int, now: int) -> None:
    """Mark conversations as uncovered: their events may have been missed since ``since`` (epoch milliseconds).

    One that another instance has taken over meanwhile stays as it is, but it had a gap before.

    Args:
        owner: The instance whose socket covered them.
    """
    facts = {"ids": ids, "of": owner}
    uncovered = list(connection.execute(_UNCOVER, facts | {"since": since}).scalars())
    timeline.note_all(connection, uncovered, now, "uncovered")
    if len(uncovered) < len(ids):
        connection.execute(_GAP_OF_OTHERS, facts | {"moment": now})


def make_due(connection: Connection, ids: Sequence[str], now: int) -> None:
    """Make conversations due now, because events about them could not be read. A closed one stays closed.

    A released one stays released; the answer decides whether it is over after all.
    """
    connection.execute(_GAP_OF_SOME, {"ids": ids, "moment": now})


def make_all_due(connection: Connection, now: int) -> list[str]:
    """Make all followed conversations due now, because frames about unknown conversations were dropped.

    Returns:
        Those that other transactions have locked, so that they were not changed.
    """
    if connection.dialect.name != "postgresql":
        connection.execute(_GAP_OF_ALL, {"moment": now})
        return []
    changed = set(connection.execute(_GAP_OF_FREE, {"moment": now}).scalars())
    return [one for one in connection.execute(_FOLLOWED_IDS).scalars() if one not in changed]
