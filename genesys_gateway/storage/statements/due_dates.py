"""Reads the rows of a query whose date has come.

Invariant: a date that only a wrong clock can have set delays nothing: its row is due now (ADR 0019).
"""

from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select

T = TypeVar("T", bound=tuple[object, ...])


def rows_due(
    connection: Connection, query: Select[T], date: ColumnElement[int | None], *, now: int, furthest: int, limit: int
) -> list[Row[T]]:
    """At most ``limit`` rows: those due at ``now``, longest due first; then those that a wrong clock has dated.

    Two queries, because each finds its rows in the index on the date.

    Args:
        furthest: The latest date that a right clock can have set, from
            :func:`genesys_gateway.runtime.clock.furthest_date`.
    """
    ordered = query.order_by(date)
    found = list(connection.execute(ordered.where(date <= now).limit(limit)))
    return found + list(connection.execute(ordered.where(date > furthest).limit(limit - len(found))))
