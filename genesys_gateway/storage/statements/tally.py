"""Statements about the table ``tally``: numbers of rows that nobody has to count.

Invariant: a number is the sum over all rows of the table. Triggers keep those of rows that exist
(:mod:`genesys_gateway.storage.triggers`); those of rows that were deleted because of their age are added here, in the
transaction that deletes them.
"""

from sqlalchemy import Connection, ScalarSelect, delete, func, select, update

from genesys_gateway.storage.portable import put_new
from genesys_gateway.storage.tables import tally

_COLUMNS = [column.name for column in tally.columns if column.name != "session"]
_OF_SESSIONS = select(tally.c.session).where(tally.c.session != 0).with_for_update(skip_locked=True)
_gone = delete(tally).where(tally.c.session.in_(_OF_SESSIONS)).returning(tally).cte("gone")
#: Sums up the rows of sessions, most of which have ended. A row that a session is writing now is left for next time.
_FOLD = (
    update(tally)
    .where(tally.c.session == 0)
    .values(
        {name: tally.c[name] + select(func.coalesce(func.sum(_gone.c[name]), 0)).scalar_subquery() for name in _COLUMNS}
    )
    .add_cte(_gone)
)


def total(*names: str) -> ScalarSelect[int]:
    """Return the sum of these columns over all rows, for use in a statement."""
    return select(func.coalesce(sum(func.sum(tally.c[name]) for name in names), 0)).scalar_subquery()


def add_forgotten(connection: Connection, *, registrations: int, conversations: int, missed: int) -> None:
    """Go on counting rows that this transaction has deleted because of their age."""
    forgotten = {
        "forgotten_registrations": registrations,
        "forgotten_conversations": conversations,
        "forgotten_missed": missed,
    }
    put_new(connection, tally, {"session": 0})
    connection.execute(
        update(tally).where(tally.c.session == 0).values({name: tally.c[name] + n for name, n in forgotten.items()})
    )


def fold(connection: Connection) -> None:
    """Sum up the rows of ended sessions, so that the table stays small. SQLite has only one row anyway."""
    if connection.dialect.name == "postgresql":
        put_new(connection, tally, {"session": 0})
        connection.execute(_FOLD)
