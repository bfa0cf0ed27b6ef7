"""PostgreSQL only: a server that ends connections, hangs, deadlocks, or loses the reply to a commit."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from weakref import WeakSet

import gevent
import pytest
from gevent.event import Event
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from genesys_gateway.runtime.errors import StorageUnavailable, UnsafeDatabase
from genesys_gateway.storage import Storage
from genesys_gateway.storage.fence import Fence
from tests.contract.test_storage_engine import accept, accepted
from tests.doubles.runtime import FakeClock, until
from tests.harness.tcp_proxy import TcpProxy


@pytest.fixture
def storage(postgres_url: str, clock: FakeClock) -> Iterator[Storage]:
    storage = Storage(postgres_url, clock)
    storage.open()
    yield storage
    storage.close()


@pytest.fixture
def outside(postgres_url: str) -> Iterator[Engine]:
    """Connections of a user other than the storage."""
    engine = create_engine(postgres_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[TcpProxy]:
    url = make_url(postgres_url)
    assert url.host is not None
    with TcpProxy(url.host, url.port or 5432).running() as proxy:
        yield proxy


@pytest.fixture
def storage_behind_proxy(postgres_url: str, proxy: TcpProxy, clock: FakeClock) -> Iterator[Storage]:
    # Without encryption the proxy can see where a COMMIT is.
    url = make_url(postgres_url).set(host="127.0.0.1", port=proxy.port, query={"sslmode": "disable"})
    storage = Storage(url.render_as_string(hide_password=False), clock, patience_seconds=0.5)
    storage.open()
    yield storage
    storage.close()


def backend(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def sleep(seconds: float) -> Callable[[Connection], None]:
    return lambda connection: connection.execute(text("SELECT pg_sleep(:s)"), {"s": seconds}).close()


def end_backends(outside: Engine) -> int:
    """End every other connection to the database, as a restart of the server would, and return their number."""
    ended = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with outside.connect() as connection:
        return int(connection.execute(ended).scalar_one())


class FirstCallOnly:
    """Runs an action on its first call only, and counts all calls."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._action = action
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 1:
            self._action()


def test_connections_that_were_ended_while_idle_are_not_noticed_by_jobs(storage: Storage, outside: Engine) -> None:
    gevent.joinall([gevent.spawn(storage.run, sleep(0.05)) for _ in range(5)], raise_error=True)
    assert end_backends(outside) >= 5  # more if the server has not noticed the end of others yet

    storage.run(accept("a"))

    assert storage.run(accepted) == {"a"}


def test_a_job_whose_connection_is_ended_before_the_commit_is_run_again(storage: Storage, outside: Engine) -> None:
    end = FirstCallOnly(lambda: end_backends(outside))

    def job(connection: Connection) -> None:
        accept("a")(connection)
        end()
        backend(connection)

    storage.run(job)

    assert end.calls == 2
    assert storage.run(accepted) == {"a"}


def test_a_job_is_not_run_again_for_ever(storage: Storage, outside: Engine) -> None:
    runs = []

    def job(connection: Connection) -> None:
        runs.append(end_backends(outside))
        backend(connection)

    with pytest.raises(StorageUnavailable):
        storage.run(job)

    assert len(runs) == 3


def test_a_commit_whose_reply_is_lost_promises_nothing_and_is_not_repeated(
    storage_behind_proxy: Storage, proxy: TcpProxy, storage: Storage
) -> None:
    cut = FirstCallOnly(lambda: proxy.cut_replies_after(b"COMMIT"))

    def job(connection: Connection) -> None:
        accept("a")(connection)
        cut()

    with pytest.raises(StorageUnavailable):
        storage_behind_proxy.run(job)

    assert cut.calls == 1
    # It was committed in this case. The caller has to repeat the job, so the job must tolerate a repetition.
    assert storage.run(accepted) == {"a"}
    storage_behind_proxy.run(accept("b"))


def test_nobody_waits_longer_than_the_patience_for_a_server_that_hangs(
    storage_behind_proxy: Storage, proxy: TcpProxy, storage: Storage
) -> None:
    proxy.stall()

    with gevent.Timeout(10), pytest.raises(StorageUnavailable):
        storage_behind_proxy.run(accept("a"))

    proxy.flow()
    storage_behind_proxy.run(accept("b"))
    assert "b" in storage.run(accepted)


def test_jobs_that_no_greenlet_waits_for_are_dropped_while_the_server_hangs(
    storage_behind_proxy: Storage, proxy: TcpProxy
) -> None:
    jobs: WeakSet[Callable[[Connection], None]] = WeakSet()

    def ask() -> None:
        job = accept("too late")
        jobs.add(job)
        with suppress(StorageUnavailable):
            storage_behind_proxy.run(job)

    proxy.stall()
    callers = [gevent.spawn(ask) for _ in range(200)]
    gevent.sleep(0)
    gevent.killall(callers[::3])
    gevent.joinall(callers)
    del callers
    gc.collect()

    assert not jobs


def test_a_statement_that_takes_too_long_is_stopped_at_the_server(
    postgres_url: str, clock: FakeClock, outside: Engine
) -> None:
    storage = Storage(postgres_url, clock, patience_seconds=0.2)
    storage.open()

    with pytest.raises(StorageUnavailable):
        storage.run(sleep(60))

    busy = text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active'")
    with outside.connect() as connection:
        until(lambda: connection.execute(busy).scalar_one() == 1)
    storage.close()


def test_a_connection_interrupted_in_a_statement_is_not_used_again(storage: Storage) -> None:
    before = storage.run(backend)

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        storage.run(sleep(60))

    assert storage.run(backend) != before


def test_of_two_jobs_that_block_each_other_both_end_well(storage: Storage, outside: Engine) -> None:
    storage.run(accept("a"))
    storage.run(accept("b"))
    first_holds_a, second_holds_b = Event(), Event()

    def lock(connection: Connection, name: str) -> None:
        connection.execute(
            text("UPDATE registration SET accepted_at = accepted_at + 1 WHERE conversation_id = :name"), {"name": name}
        )

    def crossing(first: str, second: str, held: Event, awaited: Event) -> Callable[[Connection], None]:
        def job(connection: Connection) -> None:
            connection.exec_driver_sql("SET LOCAL deadlock_timeout = '20ms'")
            lock(connection, first)
            held.set()
            awaited.wait()
            lock(connection, second)

        return job

    one = gevent.spawn(storage.run, crossing("a", "b", first_holds_a, second_holds_b))
    other = gevent.spawn(storage.run, crossing("b", "a", second_holds_b, first_holds_a))
    gevent.joinall([one, other], raise_error=True)

    sums = storage.run(
        lambda connection: connection.execute(text("SELECT sum(accepted_at) FROM registration")).scalar()
    )
    assert sums == 6


def test_a_mistake_in_a_statement_is_its_jobs_own(storage: Storage) -> None:
    with pytest.raises(ProgrammingError):
        storage.run(lambda connection: connection.exec_driver_sql("SELECT * FROM nowhere"))


def test_a_job_that_hides_a_failed_statement_promises_nothing(storage: Storage) -> None:
    def hide_a_conflict(connection: Connection) -> None:
        accept("a")(connection)
        with suppress(IntegrityError):
            accept("a")(connection)

    with pytest.raises(RuntimeError, match="rolled back"):
        storage.run(hide_a_conflict)

    assert storage.run(accepted) == set()


def test_a_server_that_refuses_writes_is_unavailable(storage: Storage) -> None:
    def write_read_only(connection: Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        accept("a")(connection)

    with pytest.raises(StorageUnavailable):
        storage.run(write_read_only)


def test_a_server_that_cannot_be_reached_is_unavailable(clock: FakeClock) -> None:
    storage = Storage("postgresql+psycopg://postgres@127.0.0.1:1/test", clock)

    with pytest.raises(StorageUnavailable):
        storage.open()
    storage.close()


def test_more_jobs_than_connections_wait_for_their_turn(storage: Storage) -> None:
    jobs = [gevent.spawn(storage.run, sleep(0.01)) for _ in range(40)]

    gevent.joinall(jobs, raise_error=True)


def test_a_request_does_not_wait_for_a_backlog_of_other_work(storage: Storage) -> None:
    over = Event()
    backlog = [gevent.spawn(storage.run, lambda _: over.wait(20)) for _ in range(20)]
    gevent.sleep(0.05)

    requests = [gevent.spawn(storage.run, backend, for_request=True) for _ in range(10)]
    gevent.joinall(requests, timeout=4, raise_error=True)

    assert all(one.successful() for one in requests)
    assert not any(one.dead for one in backlog)
    over.set()
    gevent.joinall(backlog, raise_error=True)


def test_statements_of_several_jobs_run_at_the_same_time(storage: Storage) -> None:
    both = Event()
    arrived = []

    def meet(connection: Connection) -> None:
        arrived.append(backend(connection))
        if len(arrived) == 2:
            both.set()
        assert both.wait(20)

    gevent.joinall([gevent.spawn(storage.run, meet) for _ in "ab"], raise_error=True)

    assert len(set(arrived)) == 2


def test_a_database_that_confirms_commits_too_early_is_refused(
    empty_postgres_url: str, postgres_server: Engine, clock: FakeClock
) -> None:
    name = make_url(empty_postgres_url).database
    with postgres_server.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    storage = Storage(empty_postgres_url, clock)

    with pytest.raises(UnsafeDatabase):
        storage.open()
    with pytest.raises(StorageUnavailable):
        storage.run(accept("a"))

    storage.close()


def test_a_first_server_that_does_not_answer_costs_a_part_of_the_patience_once(
    postgres_url: str, proxy: TcpProxy, clock: FakeClock
) -> None:
    proxy.stall()
    url = make_url(postgres_url)
    hosts = f"host=127.0.0.1:{proxy.port}&host={url.host}:{url.port}"
    storage = Storage(f"postgresql+psycopg://{url.username}@/{url.database}?{hosts}", clock, patience_seconds=9)

    with gevent.Timeout(8.9):
        storage.open()
    with gevent.Timeout(2.9):
        gevent.joinall([gevent.spawn(storage.run, sleep(0.01)) for _ in range(8)], raise_error=True)
    storage.close()


def test_a_lock_that_is_held_costs_the_job_but_not_the_connection(
    storage_behind_proxy: Storage, outside: Engine
) -> None:
    before = storage_behind_proxy.run(backend)
    with outside.connect() as person:
        person.exec_driver_sql("BEGIN; LOCK TABLE registration IN EXCLUSIVE MODE")

        with pytest.raises(StorageUnavailable):
            storage_behind_proxy.run(accept("a"))

        assert storage_behind_proxy.run(backend) == before
        person.exec_driver_sql("ROLLBACK")
    storage_behind_proxy.run(accept("a"))


def test_a_transaction_that_idles_is_ended_by_the_server(postgres_url: str, clock: FakeClock, outside: Engine) -> None:
    fence = Fence(clock, lease_seconds=0.4)
    fence.renewed(clock.monotonic())
    storage = Storage(postgres_url, clock, fence=fence)
    storage.open()

    def job(connection: Connection) -> None:
        accept("a")(connection)
        gevent.sleep(0.5)

    with pytest.raises(StorageUnavailable):
        storage.run(job)

    assert storage.run(accepted) == set()
    storage.close()


def test_backends_that_are_ended_again_and_again_double_and_lose_nothing(storage: Storage, outside: Engine) -> None:
    outcomes: Counter[bool] = Counter()

    def add() -> None:
        for number in range(40):
            try:
                storage.run(add_one)
                outcomes[True] += 1
            except StorageUnavailable:
                outcomes[False] += 1
            gevent.sleep(0.001 * (number % 3))

    def add_one(connection: Connection) -> None:
        connection.execute(text("UPDATE registration SET accepted_at = accepted_at + 1"))

    storage.run(accept("a", accepted_at=0))
    workers = [gevent.spawn(add) for _ in range(3)]
    while not all(worker.ready() for worker in workers):
        end_backends(outside)
        gevent.sleep(0.01)
    gevent.joinall(workers, raise_error=True)

    total = storage.run(lambda c: c.execute(text("SELECT sum(accepted_at) FROM registration")).scalar_one())
    # An outcome that is not known is one of the two.
    assert outcomes[True] <= total <= outcomes[True] + outcomes[False]
    assert outcomes.total() == 120
