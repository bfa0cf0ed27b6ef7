"""PostgreSQL only: a plan that was made while the tables were small reads no whole table when they have grown.

A prepared statement keeps its plan until the server has counted the rows again, which takes a minute or more.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, make_url, text

from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.postgres_engine import engine_of_servers
from genesys_gateway.storage.postgres_session import SessionOpener
from tests.contract.conftest import new_postgres_database
from tests.contract.test_plans import BOUNDED, CALLS, PAST, ROWS, TABLES, WAITING, put_present
from tests.doubles import past
from tests.doubles.stored_rows import NOW

#: psycopg prepares a statement after 5 executions; the server keeps its plan after 5 more.
EXECUTIONS = 12
#: More than there are. By default it keeps the plans of the hundred that were used last.
EVERY_STATEMENT = 10_000
#: Since the server last wrote down its statistics, which it never does within a transaction.
ROWS_READ = text(
    "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables WHERE relname = ANY(:tables)"
)


@pytest.fixture
def one_connection(postgres_server: Engine) -> Iterator[Engine]:
    """An engine with one connection, as the service opens it, to tables in which there is hardly anything."""
    with new_postgres_database(postgres_server) as url:
        migrate(url)
        opener = SessionOpener(60, 60)
        engine = engine_of_servers(make_url(url), seconds=60, pool_size=1, connect_server=opener.open)
        with engine.begin() as connection:
            driver: Any = connection.connection.driver_connection
            driver.prepared_max = EVERY_STATEMENT
            put_present(connection)
        yield engine
        engine.dispose()


def read_by(engine: Engine, call: Callable[[Connection], object]) -> int:
    """Make a call in a transaction that is rolled back; returns the number of rows that it has read."""
    with engine.connect() as connection:
        before = rows_read(connection)
        call(connection)
        read = rows_read(connection) - before
        # Not by psycopg, which would forget what it has prepared.
        driver: Any = connection.connection.driver_connection
        driver.pgconn.exec_(b"ROLLBACK")
        connection.rollback()
    return read


def rows_read(connection: Connection) -> int:
    return int(connection.execute(ROWS_READ, {"tables": list(TABLES)}).scalar_one())


def test_plans_made_while_tables_were_small_read_no_whole_table_later(one_connection: Engine) -> None:
    calls = {name: call for name, call in CALLS.items() if name not in BOUNDED}
    for call in calls.values():
        for _ in range(EXECUTIONS):
            read_by(one_connection, call)
    with one_connection.begin() as connection:
        past.put_past(connection, PAST, now=NOW)
        connection.execute(WAITING, {"now": NOW})

    rows = {name: read_by(one_connection, call) for name, call in calls.items()}

    assert {name: read for name, read in rows.items() if read > ROWS} == {}
