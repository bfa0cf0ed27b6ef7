"""Reads the rows of a query whose date has come.

Invariant: a date that only a wrong clock can have set delays nothing: its row is due now (ADR 0019).
"""

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam


class RowsDue:
    """The statements for the rows of a query that are due, built once.

    Two statements, because each finds its rows in the index on the date.

    Args:
        query: Its parameters must not be called ``now``, ``furthest`` or ``most``.
        date: When a row is due.
    """

    def __init__(self, query: Select[tuple[str]], date: ColumnElement[int | None]) -> None:
        ordered = query.order_by(date).limit(bindparam("most"))
        self._due = ordered.where(date <= bindparam("now"))
        self._misdated = ordered.where(date > bindparam("furthest"))

    def read(
        self, connection: Connection, *, now: int, furthest: int, limit: int, **parameters: object
    ) -> list[Row[tuple[str]]]:
        """At most ``limit`` rows: those due at ``now``, longest due first; then those that a wrong clock has dated.

        Args:
            furthest: The latest date that a right clock can have set, from
                :func:`genesys_gateway.runtime.clock.furthest_date`.
            parameters: Those of the query.
        """
        found = list(connection.execute(self._due, parameters | {"now": now, "most": limit}))
        if len(found) == limit:
            return found
        misdated = {"furthest": furthest, "most": limit - len(found)}
        return found + list(connection.execute(self._misdated, parameters | misdated))
