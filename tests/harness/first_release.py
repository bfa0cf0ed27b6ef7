"""The database that the first release left behind, in a new database; `tests/contract/first_release.py` has made it.

Its conversations, records and dates are those of the day on which it was made.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import psycopg

_FILES = Path(__file__).parents[1] / "contract"
#: Dates of rows, in epoch milliseconds. The time of an after-call work is part of its record, so it stays as it is.
_DATES = {
    "registration": ("accepted_at",),
    "conversation": (
        *("created_at", "uncovered_since", "covered_at", "due_at", "looked_at"),
        *("deadline_at", "closed_at", "last_look_at", "unknown_since", "erased_at"),
    ),
    "entry": ("stored_at", "claimed_until", "next_at", "delivered_at", "erased_at"),
    "channel": ("created_at", "expires_at", "closed_at"),
    "instance": ("started_at", "lease_until"),
    "transition": ("at",),
    "used_assertion": ("used_at",),
    "quarantine": ("at",),
}
#: How long ago it was stopped, in milliseconds: longer than the lease of the instance that was killed.
_AGO = 60_000


def load(url: str) -> None:
    """Fill an empty database with it."""
    kind = "sqlite" if url.startswith("sqlite") else "postgresql"
    _execute(url, (_FILES / f"first_release_{kind}.sql").read_text())


def load_as_of_now(url: str) -> None:
    """Fill an empty database with it, as if the release had been stopped a minute ago."""
    load(url)
    now = round(time.time() * 1000) - _AGO
    later = f"({now} - (SELECT max(at) FROM transition))"
    statements = [
        f"UPDATE {table} SET " + ", ".join(f"{date} = {date} + {later}" for date in dates) + ";"
        for table, dates in sorted(_DATES.items(), key=lambda one: one[0] == "transition")  # it is what the rest asks
    ]
    _execute(url, "\n".join(statements))


def _execute(url: str, statements: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(statements)
        return
    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(statements.encode())
