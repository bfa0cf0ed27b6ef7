"""Statements for any number of rows: one text for each kind of statement, however many rows there are.

So the drivers prepare a statement once. On PostgreSQL all rows travel as one JSON parameter and are written by one
statement; SQLite, which has no network in between, is fastest when it runs a prepared statement once for each row.

Invariant: all rows of a call are dictionaries with the same keys, which are names of columns. Columns that are not
named get their defaults, or stay as they are. A value that can't be stored raises one of ``portable.NOT_STORABLE``.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Select, Table, Text, TypeDecorator, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType

Rows = Sequence[Mapping[str, object]]


def insert_all(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows, in their order."""
    if rows:
        _execute(connection, _insertion(connection.dialect.name, table, tuple(rows[0])), rows)


def put_new_all(connection: Connection, table: Table, rows: Rows) -> set[str]:
    """Insert rows, except those whose key exists already, and return the keys of those that were inserted.

    If two rows have the same key, the first one is inserted. On PostgreSQL it waits only for a transaction that is
    inserting one of the keys: an INSERT of a key that exists would also wait for one that is changing that row.
    """
    key = _key(table)
    keys = {str(row[key]) for row in rows}
    new = keys.difference(connection.execute(_known(table), {"ids": keys}).scalars()) if keys else keys
    if not new:
        return new
    rows = [row for row in rows if row[key] in new]
    statement = f"{_insertion(connection.dialect.name, table, tuple(rows[0]))} ON CONFLICT DO NOTHING"
    if connection.dialect.name == "postgresql":
        returning = f"{statement} RETURNING {key}"
        return set(connection.exec_driver_sql(returning, {"rows": _json(rows)}).scalars())
    _execute(connection, statement, rows)
    return new


def update_all(connection: Connection, table: Table, rows: Rows) -> None:
    """Change rows: each is found by its key, and gets the values of the other columns that are named."""
    if rows:
        _execute(connection, _update(connection.dialect.name, table, tuple(rows[0])), rows)


def is_among(column: ColumnElement[str], parameter: str) -> ColumnElement[bool]:
    """Whether a column has one of the values of a parameter, which is a list of texts."""
    return _Among(column, bindparam(parameter, type_=_JsonList()))


class _JsonList(TypeDecorator[Collection[str]]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Collection[str] | None, _dialect: object) -> str:
        return _json(list(value or ()))


class _Among(FunctionElement[Any]):
    name = "among"
    type = NullType()  # as a Boolean it would be compared with 1 on SQLite, which would not use the index then
    inherit_cache = True


@compiles(_Among, "sqlite")
def _among_of_sqlite(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(_Among, "postgresql")
def _among_of_postgresql(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in element.clauses)
    # As an array, so that the index is used, whatever the planner believes about the number of values.
    return f"{column} = ANY(ARRAY(SELECT json_array_elements_text(CAST({values} AS json))))"


@cache
def _insertion(dialect: str, table: Table, columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    if dialect == "postgresql":
        return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {_records(table)}"
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join(f':{one}' for one in columns)})"


@cache
def _update(dialect: str, table: Table, columns: tuple[str, ...]) -> str:
    key = _key(table)
    others = [one for one in columns if one != key]
    if dialect == "postgresql":
        changes = ", ".join(f"{one} = new.{one}" for one in others)
        return f"UPDATE {table.name} SET {changes} FROM {_records(table)} AS new WHERE {table.name}.{key} = new.{key}"
    changes = ", ".join(f"{one} = :{one}" for one in others)
    return f"UPDATE {table.name} SET {changes} WHERE {key} = :{key}"


@cache
def _known(table: Table) -> Select[tuple[str]]:
    key = table.c[_key(table)]
    return select(key).where(is_among(key, "ids"))


def _records(table: Table) -> str:
    """The rows of the parameter, with the types of the table's columns."""
    return f"json_populate_recordset(CAST(NULL AS {table.name}), CAST(%(rows)s AS json))"


def _key(table: Table) -> str:
    (column,) = table.primary_key.columns
    return str(column.name)


def _execute(connection: Connection, statement: str, rows: Rows) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement, {"rows": _json(rows)})
    else:
        connection.exec_driver_sql(statement, [dict(row) for row in rows])


def _json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:  # half a character, an integer of more than 64 bits
        raise ValueError("a value that can't be stored") from error
