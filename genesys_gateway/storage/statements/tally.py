"""Statements about the table ``tally``: numbers of rows that nobody has to count.

Invariant: a number is the sum over all rows of the table. Triggers keep those of rows that exist
(:mod:`genesys_gateway.storage.triggers`); those of rows that were deleted because of their age are added here, in the
transaction that deletes them.
"""

from sqlalchemy import Connection, Integer, ScalarSelect, column, delete, func, select, table, update

from genesys_gateway.storage.portable import insert_for, put_new
from genesys_gateway.storage.tables import tally

_COLUMNS = [column.name for column in tally.columns if column.name != "session"]
_SUM = select(tally.c.session).where(tally.c.session == 0).with_for_update(skip_locked=True)
_living = select(column("pid", Integer)).select_from(table("pg_stat_activity"))
_OF_SESSIONS = (
    select(tally.c.session)
    .where(tally.c.session != 0, tally.c.session.not_in(_living))
    .with_for_update(skip_locked=True)
)
_gone = delete(tally).where(tally.c.session.in_(_OF_SESSIONS)).returning(tally).cte("gone")
#: Sums up the rows of sessions that have ended: one that lives would have to wait for this commit to count.
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
    # In the row of this session, as the triggers do, so that nobody waits for it.
    session = func.pg_backend_pid() if connection.dialect.name == "postgresql" else 0
    row = insert_for(connection, tally).values(session=session, **forgotten)
    added = {name: tally.c[name] + row.excluded[name] for name in forgotten}
    connection.execute(row.on_conflict_do_update(index_elements=["session"], set_=added))


def fold(connection: Connection) -> None:
    """Sum up the rows of ended sessions, so that the table stays small. SQLite has only one row anyway.

    Nothing is done if another transaction does the same now.
    """
    if connection.dialect.name == "postgresql":
        # An insertion would wait for a transaction that is changing the row.
        if connection.execute(select(tally.c.session).where(tally.c.session == 0)).first() is None:
            put_new(connection, tally, {"session": 0})
        if connection.execute(_SUM).first() is not None:
            connection.execute(_FOLD)
