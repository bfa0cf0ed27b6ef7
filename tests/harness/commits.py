"""Which role of PostgreSQL committed changes, and when, noted by triggers that run right before each COMMIT.

A story gives each instance a role of its own. So it can tell whose writes counted, whatever the instance says.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg

from tests.harness import databases

_TABLES = ("registration", "conversation", "entry", "channel", "instance", "transition", "quarantine")

_SCHEMA = """
CREATE TABLE noted_commit (
    transaction bigint, role text, at bigint, relation text, PRIMARY KEY (transaction, relation));
CREATE FUNCTION note_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO noted_commit VALUES (
        txid_current(), session_user, extract(epoch FROM clock_timestamp()) * 1000,
        TG_TABLE_NAME || ' ' || lower(TG_OP)) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
"""
_TRIGGER = """
CREATE CONSTRAINT TRIGGER note_commit AFTER INSERT OR UPDATE OR DELETE ON {table}
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_commit()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A transaction that changed rows."""

    role: str
    #: right before its COMMIT, in epoch milliseconds
    at: int
    #: what it changed, e.g. ``entry update``
    changed: frozenset[str]


@contextmanager
def roles(number: int) -> Iterator[list[str]]:
    """Make that many roles on the usual server; they are dropped afterwards, after all that they own."""
    names = [f"instance_{uuid4().hex[:12]}" for _ in range(number)]
    for name in names:
        databases.execute(f"CREATE ROLE {name} LOGIN SUPERUSER")
    try:
        yield names
    finally:
        for name in names:
            databases.execute(f"DROP ROLE {name}")


class Commits:
    """The commits of one database, from the moment this is made: its tables must exist."""

    def __init__(self, database: str) -> None:
        self._database = database
        databases.execute(_SCHEMA, database)
        for table in _TABLES:
            databases.execute(_TRIGGER.format(table=table), database)

    def of(self, role: str, since: int) -> list[Commit]:
        """The commits of a role after that moment, in order."""
        query = (
            "SELECT min(at), array_agg(relation) FROM noted_commit WHERE role = %s"
            " GROUP BY transaction HAVING min(at) >= %s ORDER BY 1"
        )
        with psycopg.connect(databases.dsn(self._database)) as connection:
            rows = connection.execute(query, [role, since]).fetchall()
        return [Commit(role=role, at=at, changed=frozenset(changed)) for at, changed in rows]


def rows(database: str, query: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
    """The rows of a query that a story asks beside the service."""
    with psycopg.connect(databases.dsn(database)) as connection:
        return connection.execute(query.encode(), parameters).fetchall()
