"""Statements about last looks: which closed conversations are to be asked about once more, and by whom.

Invariant: a last look is taken by one instance at a time, which claims it for a while; after that it is due again.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, case, select, update

from genesys_gateway.storage.statements.conversations import CLOSED
from genesys_gateway.storage.statements.due_dates import RowsDue
from genesys_gateway.storage.tables import conversation

_table = conversation.c

# The index on the date holds few rows; one on the state would hold every conversation that was ever closed.
_DUE = RowsDue(
    select(_table.id).where(_table.state == CLOSED).with_for_update(skip_locked=True, key_share=True),
    _table.last_look_at,
)


def claim(connection: Connection, *, now: int, furthest: int, until: int, limit: int) -> list[str]:
    """Claim last looks that are due until ``until``, longest due first. Those that another instance claims are left.

    A date beyond ``furthest`` was set by a wrong clock, and is due now.
    """
    ids = [row.id for row in _DUE.read(connection, now=now, furthest=furthest, limit=limit)]
    if ids:
        connection.execute(update(conversation).where(_table.id.in_(ids)).values(last_look_at=until))
    return ids


def postpone(connection: Connection, ids: Sequence[str], *, at: int, closed_after: int) -> None:
    """Postpone last looks that got no answer to ``at``; give up those of conversations closed before ``closed_after``.

    All times are epoch milliseconds. One that another transaction has locked keeps the date of its claim.
    """
    free = select(_table.id).where(_table.id.in_(ids), _table.state == CLOSED)
    free = free.with_for_update(skip_locked=True, key_share=True)
    dates = case((_table.closed_at > closed_after, at), else_=None)
    connection.execute(update(conversation).where(_table.id.in_(free)).values(last_look_at=dates))


def note(connection: Connection, conversation_id: str, missed: int, *, concluded: bool = True) -> None:
    """Note that the last look was taken and found ``missed`` after-call works without an entry; maybe not the last."""
    change = update(conversation).where(_table.id == conversation_id)
    at = None if concluded else _table.last_look_at
    connection.execute(change.values(last_look_at=at, missed=_table.missed + missed))
