"""The connection of the lease: it holds the lock, hears hints, and comes back by itself; on a real PostgreSQL."""

from collections.abc import Iterator

import gevent
import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.storage import Storage, instance_lock
from genesys_gateway.storage.own_connection import ThroughStorage, own_connection
from genesys_gateway.storage.portable import give_hint
from genesys_gateway.storage.postgres_own_connection import PostgresOwnConnection
from tests.doubles.runtime import FakeClock, until

ME, LATER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
#: A job may take a sixth of it.
LEASE = 6.0


@pytest.fixture
def server(postgres_url: str) -> Iterator[Engine]:
    """Another session on the same database."""
    engine = create_engine(postgres_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def own(postgres_url: str) -> Iterator[PostgresOwnConnection]:
    made = PostgresOwnConnection(postgres_url, SystemClock(), LEASE)
    made.hold(ME)
    yield made
    made.close()


@pytest.fixture
def tasks() -> Iterator[TaskGroup]:
    made = TaskGroup("own-connection", lambda name, error: None)
    with gevent.Timeout(60, AssertionError("it did not happen in time")):
        yield made
    made.stop(1.0)


def is_free(server: Engine, one: str = ME) -> bool:
    with server.connect() as connection:
        return instance_lock.is_free(connection, one)


def number(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def end(server: Engine, process: int) -> None:
    with server.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})


def test_its_session_holds_the_lock_of_the_instance(own: PostgresOwnConnection, server: Engine) -> None:
    assert is_free(server)
    own.run(number)
    assert not is_free(server)
    own.close()
    until(lambda: is_free(server))


def test_under_another_id_it_gives_the_lock_of_the_former_up(own: PostgresOwnConnection, server: Engine) -> None:
    own.run(number)
    own.hold(LATER)
    own.run(number)
    assert (is_free(server, ME), is_free(server, LATER)) == (True, False)


def test_a_lock_that_a_lost_session_still_holds_is_taken_as_soon_as_it_is_free(
    own: PostgresOwnConnection, server: Engine
) -> None:
    with server.connect() as lost:
        assert instance_lock.take(lost, ME)
        own.run(number)
    until(lambda: is_free(server))
    own.run(number)
    assert not is_free(server)


def test_a_hint_ends_the_wait(own: PostgresOwnConnection, server: Engine, tasks: TaskGroup) -> None:
    own.run(number)
    waiting = gevent.spawn(own.wait, tasks, 15.0)
    gevent.sleep(0.1)
    with server.connect() as connection:
        give_hint(connection)
    assert waiting.get(timeout=5) is True
    assert own.wait(tasks, 0.01) is False


def test_a_hint_that_came_during_a_job_is_not_lost(
    own: PostgresOwnConnection, server: Engine, tasks: TaskGroup
) -> None:
    own.run(number)
    with server.connect() as connection:
        give_hint(connection)
    own.run(number)
    assert own.wait(tasks, 5.0) is True


def test_a_session_that_the_server_ends_ends_the_wait_and_the_next_job_connects_anew(
    own: PostgresOwnConnection, server: Engine, tasks: TaskGroup
) -> None:
    first = own.run(number)
    since = own.connected_since
    end(server, first)
    assert own.wait(tasks, 10.0) is True
    assert own.connected_since > since
    assert own.run(number) != first
    # In vain as long as the server has not noticed that the other session is over.
    until(lambda: own.run(number) and not is_free(server))


def test_a_job_on_a_session_that_has_ended_fails_and_the_next_one_connects_anew(
    own: PostgresOwnConnection, server: Engine
) -> None:
    first = own.run(number)
    end(server, first)
    with pytest.raises(StorageUnavailable):
        own.run(number)
    assert own.run(number) != first


def test_a_job_that_takes_too_long_is_given_up_and_nothing_of_it_is_committed(
    own: PostgresOwnConnection, server: Engine
) -> None:
    def slow(connection: Connection) -> None:
        connection.execute(text("INSERT INTO tally (session) VALUES (77)"))
        gevent.sleep(3 * LEASE)

    with pytest.raises(StorageUnavailable, match="too slow"):
        own.run(slow)
    assert own.run(number)
    with server.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM tally WHERE session = 77")).scalar_one() == 0


def test_an_error_of_the_job_itself_is_raised_and_the_next_job_runs(own: PostgresOwnConnection) -> None:
    def wrong(connection: Connection) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        own.run(wrong)
    assert own.run(number)


def test_a_server_that_is_not_there_is_unavailable(tasks: TaskGroup) -> None:
    own = PostgresOwnConnection("postgresql+psycopg://postgres@127.0.0.1:1/test", SystemClock(), LEASE)
    own.hold(ME)
    with pytest.raises(StorageUnavailable):
        own.run(number)
    assert own.wait(tasks, 0.01) is False
    own.close()


def test_the_wait_ends_with_the_task_group(own: PostgresOwnConnection, tasks: TaskGroup) -> None:
    own.run(number)
    waiting = tasks.spawn("wait", own.wait, tasks, 60.0)
    gevent.sleep(0.05)
    assert tasks.stop(5.0) == []
    assert waiting.dead


def test_a_sqlite_file_is_used_through_the_storage(sqlite_url: str) -> None:
    storage = Storage(sqlite_url, FakeClock())
    storage.open()
    own = own_connection(sqlite_url, storage, FakeClock(), LEASE)
    assert isinstance(own, ThroughStorage)
    own.hold(ME)
    assert own.run(lambda connection: connection.execute(text("SELECT 5")).scalar_one()) == 5
    own.close()
    storage.close()
