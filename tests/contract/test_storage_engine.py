"""Guarantees that Storage gives for a job, on each kind of database."""

import signal
from collections.abc import Callable
from contextlib import suppress

import gevent
import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.storage import Storage, database_now
from genesys_gateway.storage.portable import insert_for
from genesys_gateway.storage.tables import registration
from tests.contract.processes import python
from tests.doubles.runtime import FakeClock

ACCEPT_IN_A_PROCESS_OF_ITS_OWN = """
from gevent import monkey; monkey.patch_all()
import sys
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage import Storage
from tests.contract.test_storage_engine import accept
storage = Storage(sys.argv[1], SystemClock())
storage.open()
storage.run(accept("a"))
print("committed", flush=True)
sys.stdin.read()
"""


def accept(conversation_id: str, accepted_at: int = 1) -> Callable[[Connection], None]:
    """A job that writes one row."""
    row = registration.insert().values(conversation_id=conversation_id, accepted_at=accepted_at)
    return lambda connection: connection.execute(row).close()


def accept_slowly(conversation_id: str) -> Callable[[Connection], None]:
    """A job that writes one row, slowly on PostgreSQL.

    Other greenlets need time to run, because the reply could be there before the job's greenlet waits for it.
    """

    def job(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_sleep(0.1)")
        accept(conversation_id)(connection)

    return job


def accepted(connection: Connection) -> set[str]:
    """A job that reads the ids of all rows."""
    return set(connection.execute(select(registration.c.conversation_id)).scalars())


@pytest.fixture(params=["sqlite in memory", "sqlite", "postgresql"])
def any_storage(request: pytest.FixtureRequest, clock: FakeClock) -> Storage:
    """A storage on each kind of database, not opened yet."""
    name = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}.get(request.param)
    return Storage("sqlite://" if name is None else request.getfixturevalue(name), clock)


def test_a_job_gets_its_result_back_and_the_next_one_sees_what_it_wrote(any_storage: Storage) -> None:
    any_storage.open()

    any_storage.run(accept("a"))

    assert any_storage.run(accepted) == {"a"}
    any_storage.close()


def test_a_job_that_raises_leaves_nothing_behind(storage: Storage) -> None:
    def half_done(connection: Connection) -> None:
        accept("a")(connection)
        raise LookupError("changed my mind")

    with pytest.raises(LookupError, match="changed my mind"):
        storage.run(half_done)

    assert storage.run(accepted) == set()


def test_jobs_that_fail_among_others_take_nobody_along(storage: Storage) -> None:
    storage.run(accept("existing"))

    jobs = [gevent.spawn(storage.run, accept(name)) for name in ("a", "existing", "b", "existing", "c")]
    gevent.joinall(jobs)

    assert [type(job.exception) for job in jobs] == [type(None), IntegrityError] * 2 + [type(None)]
    assert storage.run(accepted) == {"existing", "a", "b", "c"}


def test_a_job_may_go_on_after_a_statement_of_its_own_conflicted(storage: Storage) -> None:
    def accept_twice(connection: Connection) -> int:
        row = insert_for(connection, registration).values(conversation_id="a", accepted_at=2)
        first = connection.execute(row.on_conflict_do_nothing()).rowcount
        second = connection.execute(row.on_conflict_do_nothing()).rowcount
        changed = {"accepted_at": row.excluded.accepted_at + 1}
        connection.execute(row.on_conflict_do_update(index_elements=["conversation_id"], set_=changed))
        return first * 10 + second

    assert storage.run(accept_twice) == 10

    assert storage.run(lambda connection: connection.scalar(select(registration.c.accepted_at))) == 3


def test_a_statement_that_fails_in_a_savepoint_harms_nothing_else_of_its_job(storage: Storage) -> None:
    def try_twice(connection: Connection) -> None:
        accept("a")(connection)
        with suppress(IntegrityError), connection.begin_nested():
            accept("a")(connection)
        accept("b")(connection)

    storage.run(try_twice)

    assert storage.run(accepted) == {"a", "b"}


def test_many_greenlets_at_once_all_get_their_own_answer(storage: Storage) -> None:
    def number(value: int) -> Callable[[Connection], int]:
        return lambda connection: accept(str(value))(connection) or value

    jobs = [gevent.spawn(storage.run, number(value)) for value in range(300)]
    gevent.joinall(jobs, raise_error=True)

    assert [job.value for job in jobs] == list(range(300))
    assert len(storage.run(accepted)) == 300


def test_what_was_promised_survives_a_kill(database_url: str, storage: Storage) -> None:
    with python(ACCEPT_IN_A_PROCESS_OF_ITS_OWN, database_url) as process:
        process.send_signal(signal.SIGKILL)

    assert storage.run(accepted) == {"a"}


def test_more_jobs_than_the_queue_holds_are_turned_away_at_once(database_url: str, clock: FakeClock) -> None:
    storage = Storage(database_url, clock, queue_limit=2)
    storage.open()

    jobs = [gevent.spawn(storage.run, accept_slowly(name)) for name in ("a", "b", "c")]
    gevent.joinall(jobs)

    assert isinstance(jobs[2].exception, StorageUnavailable)
    assert storage.run(accepted) == {"a", "b"}
    storage.close()


def test_opening_again_only_checks_again(storage: Storage) -> None:
    storage.open()

    storage.run(accept("a"))

    assert storage.run(accepted) == {"a"}


def test_a_closed_storage_takes_nothing(storage: Storage) -> None:
    storage.close()
    storage.close()

    with pytest.raises(StorageUnavailable):
        storage.run(accept("a"))


def test_what_was_handed_in_before_the_close_is_committed(database_url: str, clock: FakeClock) -> None:
    storage = Storage(database_url, clock)
    storage.open()
    jobs = [gevent.spawn(storage.run, accept(str(value))) for value in range(50)]
    gevent.sleep(0)

    storage.close()

    gevent.joinall(jobs, raise_error=True)
    reopened = Storage(database_url, clock)
    reopened.open()
    assert len(reopened.run(accepted)) == 50
    reopened.close()


def test_sqlite_tells_the_time_of_its_process(sqlite_url: str, clock: FakeClock) -> None:
    storage = Storage(sqlite_url, clock)
    storage.open()
    clock.advance(1.5)

    assert storage.run(database_now) == clock.now()
    storage.close()


def test_postgresql_tells_its_own_time_which_moves_on_within_a_transaction(postgres_url: str, clock: FakeClock) -> None:
    def twice(connection: Connection) -> tuple[int, int]:
        before = database_now(connection)
        connection.exec_driver_sql("SELECT pg_sleep(0.005)")
        return before, database_now(connection)

    storage = Storage(postgres_url, clock)
    storage.open()

    before, after = storage.run(twice)

    assert clock.now() < before < after
    storage.close()
