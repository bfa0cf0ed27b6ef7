"""A database for one play: a file in its folder, or one of its own on a PostgreSQL server."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg

KINDS = ("sqlite", "postgresql")
HOST, PORT = "127.0.0.1", 5432
_SERVER = f"postgresql://postgres@{HOST}:{PORT}/test"


def reachable() -> bool:
    """Whether there is a server to make databases on."""
    try:
        psycopg.connect(_SERVER, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def postgresql() -> Iterator[str]:
    """The name of a new database, dropped afterwards whoever still uses it."""
    name = f"chaos_{uuid4().hex[:12]}"
    _say(f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        _say(f"DROP DATABASE {name} WITH (FORCE)")


def url(name: str, port: int = PORT) -> str:
    """What DATABASE_URL says; another port is that of a proxy."""
    return f"postgresql+psycopg://postgres@{HOST}:{port}/{name}"


def end_sessions(name: str) -> int:
    """Have the server end every session of that database; how many there were."""
    with psycopg.connect(_SERVER, autocommit=True) as connection:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
        row = connection.execute(query, [name]).fetchone()
        return int(row[0]) if row else 0


def _say(statement: str) -> None:
    with psycopg.connect(_SERVER, autocommit=True) as connection:
        connection.execute(statement.encode())
