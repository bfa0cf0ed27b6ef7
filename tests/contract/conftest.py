"""Databases for contract tests: a SQLite file, and a PostgreSQL database for this test session."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import OperationalError

from genesys_gateway.storage import Storage
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.tables import metadata, tally
from tests.doubles.runtime import FakeClock
from tests.harness.required import skip_or_fail

_SERVER = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
#: How long a job may take: on a machine busy with other tests some take longer than the service lets a job take.
_PATIENCE_SECONDS = 60.0


@contextmanager
def new_postgres_database(server: Engine) -> Iterator[str]:
    """Create a database with a random name, and drop it afterwards even if it is still in use."""
    name = f"gateway_test_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield make_url(_SERVER).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Engine]:
    """Connections with which databases can be created and dropped."""
    engine = create_engine(
        _SERVER, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args={"connect_timeout": 2}
    )
    try:
        engine.connect().close()
    except OperationalError:
        skip_or_fail("no PostgreSQL at 127.0.0.1:5432 with a database named test", "POSTGRES")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_database(postgres_server: Engine) -> Iterator[str]:
    """The URL of a migrated database that all tests of this session share."""
    with new_postgres_database(postgres_server) as url:
        migrate(url)
        yield url


@pytest.fixture
def empty_postgres_url(postgres_server: Engine) -> Iterator[str]:
    """The URL of a database without tables, for one test."""
    with new_postgres_database(postgres_server) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_database: str) -> Iterator[str]:
    """The URL of a migrated database whose tables are empty."""
    yield postgres_database
    engine = create_engine(postgres_database, poolclass=NullPool)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
        connection.execute(tally.delete())  # again: the deletions before were counted there
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that tests copy but never open."""
    path = tmp_path_factory.mktemp("migrated") / "gateway.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """The URL of a migrated SQLite file for one test."""
    path = tmp_path / "gateway.db"
    shutil.copy(migrated_file, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database of either kind."""
    name = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    return str(request.getfixturevalue(name))


@pytest.fixture
def storage(database_url: str, clock: FakeClock) -> Iterator[Storage]:
    """An open storage on an empty database of either kind."""
    storage = Storage(database_url, clock, patience_seconds=_PATIENCE_SECONDS)
    storage.open()
    yield storage
    storage.close()
