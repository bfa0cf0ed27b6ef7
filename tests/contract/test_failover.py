"""A primary and its standby: which one is used, and what is said when a failover can lose commits."""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import gevent
import pytest
import structlog
from sqlalchemy import Connection, text

from genesys_gateway.commands.check import database
from genesys_gateway.commands.check.findings import Finding, State
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.storage import Storage
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.portable import write_nothing
from genesys_gateway.storage.postgres_own_connection import PostgresOwnConnection
from tests.contract.test_storage_engine import accept, accepted
from tests.doubles import stored_rows
from tests.doubles.genesys import settings
from tests.doubles.runtime import until
from tests.harness.databases import HOST, OwnServer, own_server

#: Enough for two servers, of which one does not answer.
PATIENCE = 5.0
#: Names and values that the server's administrator sets for synchronous replication.
SYNCHRONOUS = {"synchronous_standby_names": "*"}
#: Sessions whose commit waits for a standby.
WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

#: Sessions of the gateway.
OURS = "application_name = 'genesys-gateway'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A primary and its standby."""

    first: OwnServer
    second: OwnServer

    def url(self, user: str = "postgres") -> str:
        hosts = "&".join(f"host={HOST}:{one.port}" for one in (self.first, self.second))
        return f"postgresql+psycopg://{user}@/test?{hosts}"


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    with ExitStack() as stack:
        first = stack.enter_context(own_server())
        if first is None:
            pytest.skip("the programs of a PostgreSQL server are not installed")
        second = stack.enter_context(own_server(primary=first))
        assert second is not None
        made = Pair(first=first, second=second)
        migrate(made.url())
        yield made


@pytest.fixture
def pair(servers: Pair) -> Pair:
    """The servers as at first: the second is a standby that no commit waits for, and no row is stored."""
    servers.first.configure(synchronous_standby_names="")
    servers.first.execute("TRUNCATE registration, conversation CASCADE")
    until(lambda: servers.first.execute("SELECT state FROM pg_stat_replication") == [("streaming",)])
    return servers


@contextmanager
def opened(url: str, patience_seconds: float = PATIENCE) -> Iterator[Storage]:
    storage = Storage(url, SystemClock(), patience_seconds=patience_seconds)
    storage.open()
    try:
        yield storage
    finally:
        storage.close()


@contextmanager
def without(standby: OwnServer) -> Iterator[None]:
    standby.crash()
    try:
        yield
    finally:
        standby.start()


def port(connection: Connection) -> int:
    """A job that tells which server it runs on."""
    return int(connection.execute(text("SELECT inet_server_port()")).scalar_one())


def succeeds(job: Callable[[], object]) -> bool:
    try:
        job()
    except StorageUnavailable:
        return False
    return True


class Load:
    """Greenlets that write one row after the other; a row whose commit was not confirmed is not repeated."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._numbers = count()
        self.confirmed: set[str] = set()
        self.refused = 0
        self._writers = [gevent.spawn(self._write) for _ in range(4)]

    def _write(self) -> None:
        for number in self._numbers:
            if succeeds(partial(self._storage.run, accept(f"row {number}"))):
                self.confirmed.add(f"row {number}")
            else:
                self.refused += 1
                gevent.sleep(0.05)

    def goes_on(self) -> None:
        """Wait until more rows are confirmed."""
        before = len(self.confirmed)
        until(lambda: len(self.confirmed) > before + 20)

    def stop(self) -> None:
        gevent.killall(self._writers)


def warnings(lines: list[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    return [line for line in lines if line["event"] == "replication_is_asynchronous"]


def replication_finding(url: str) -> Finding:
    found = database.inspect(settings(database_url=url), SystemClock(), database.GatewayState(runs=None))
    return next(one for one in found if one.area == "replication")


def test_a_standby_that_no_commit_waits_for_is_warned_about_once(pair: Pair) -> None:
    pair.first.execute("CREATE ROLE gateway LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO gateway")
    with structlog.testing.capture_logs() as lines, opened(pair.url("gateway")) as storage:
        gevent.joinall([gevent.spawn(storage.run, port) for _ in range(8)], raise_error=True)

    (line,) = warnings(lines)
    assert (line["log_level"], line["standbys"]) == ("warning", 1)
    found = replication_finding(pair.url("gateway"))
    assert (found.state, "synchronous_standby_names is empty" in found.text) == (State.SKIPPED, True)

    pair.first.configure(**SYNCHRONOUS)
    until(lambda: pair.first.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)])
    with structlog.testing.capture_logs() as lines, opened(pair.url("gateway")):
        pass

    assert not warnings(lines)
    assert replication_finding(pair.url("gateway")).state is State.GOOD


def test_a_commit_whose_wait_for_the_standby_was_cancelled_promises_nothing(pair: Pair) -> None:
    pair.first.configure(**SYNCHRONOUS)
    with opened(pair.url(), patience_seconds=20) as storage, without(pair.second):
        job = gevent.spawn(storage.run, accept("a"))
        until(lambda: pair.first.execute(f"SELECT count(*) {WAITING}") == [(1,)])
        pair.first.execute(f"SELECT pg_cancel_backend(pid) {WAITING}")

        with pytest.raises(StorageUnavailable, match="standby"):
            job.get(timeout=10)
        # It is on the primary all the same. The caller repeats the job, which has to bear that.
        assert storage.run(accepted) == {"a"}


def test_a_registration_that_only_the_primary_has_is_not_confirmed_by_a_repetition(pair: Pair) -> None:
    pair.first.configure(**SYNCHRONOUS)
    with opened(pair.url(), patience_seconds=1) as storage, without(pair.second):

        def register(connection: Connection) -> None:
            stored_rows.register(connection, stored_rows.CONVERSATION)

        assert not succeeds(lambda: storage.run(register))
        assert not succeeds(lambda: storage.run(register))
        pair.first.execute(f"SELECT pg_cancel_backend(pid) {WAITING}")
        until(lambda: pair.first.execute("SELECT count(*) FROM conversation") == [(1,)])
        assert not succeeds(lambda: storage.run(register))
    with opened(pair.url()) as storage:
        storage.run(register)


def test_a_primary_that_stops_taking_writes_is_left_at_once_and_used_again_later(pair: Pair) -> None:
    with opened(pair.url()) as storage:
        storage.run(accept("before"))
        # As a hosted server does by itself when its disk is nearly full: it holds for open sessions, too.
        pair.first.configure(default_transaction_read_only="on")
        until(lambda: not succeeds(lambda: storage.run(write_nothing)))
        until(lambda: pair.first.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}") == [(0,)])

        pair.first.configure(default_transaction_read_only="off")
        until(lambda: succeeds(lambda: storage.run(write_nothing)))
        storage.run(accept("after"))


def test_the_server_that_takes_writes_is_used_after_each_failover(pair: Pair) -> None:
    first, second = pair.first, pair.second
    with opened(pair.url()) as storage:
        assert storage.run(port) == first.port

        # Planned: the first one becomes the standby of the second.
        first.stop()
        second.promote()
        first.follow(second)
        first.start()
        assert storage.run(port) == second.port
        with opened(pair.url()) as another:
            assert another.run(port) == second.port

        # By a crash, and each commit has waited for the standby.
        second.configure(**SYNCHRONOUS)
        until(lambda: second.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)])
        load = Load(storage)
        load.goes_on()
        second.crash()
        until(lambda: load.refused)
        first.promote()
        load.goes_on()
        load.stop()
        assert storage.run(port) == first.port
        assert storage.run(accepted) >= load.confirmed

        # The old primary comes back, and nobody has told it of the new one: it takes writes.
        second.start()
        first.crash()
        assert not succeeds(lambda: storage.run(port))
        own = PostgresOwnConnection(pair.url(), SystemClock(), lease_seconds=6 * PATIENCE)
        own.hold("me")
        assert not succeeds(lambda: own.run(port))
        own.close()
        first.start()
        until(lambda: succeeds(lambda: storage.run(port)))
        assert storage.run(port) == first.port
