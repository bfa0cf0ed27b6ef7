"""Two instances do everything at once to the same conversations of one PostgreSQL database, without a deadlock."""

import time
from collections.abc import Callable, Iterator
from random import Random

import gevent
import pytest
from gevent.event import Event
from sqlalchemy import Connection, Engine, text

from genesys_gateway.delivery.dispatcher import Delivery
from genesys_gateway.domain.after_call_work import Acw, AcwEvent
from genesys_gateway.intake import EventSpool
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.errors import PairedAlready, StorageUnavailable
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.storage import Storage, database_now
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.statements import (
    conversations,
    customer,
    dead_letters,
    intake,
    outbox,
    ownership,
    reconciliation,
)
from tests.contract.conftest import new_postgres_database
from tests.doubles import stored_rows as stored
from tests.doubles.channels import ids
from tests.doubles.delivery import FakeNames, FakeReceiver
from tests.doubles.genesys import settings
from tests.doubles.runtime import runtime, until
from tests.doubles.stored_rows import CUSTOMER, FOLLOW_MS, OTHER_CUSTOMER

#: Conversations that a handover covers at once.
MANY = 1000
#: Conversations that everything is done to at the same time.
FEW = 30
SECONDS = 3.0


@pytest.fixture
def database(postgres_server: Engine) -> Iterator[str]:
    """A database whose deadlocks nobody else counts."""
    with new_postgres_database(postgres_server) as url:
        migrate(url)
        yield url


class Instance:
    """What one instance does to the conversations, each in a greenlet of its own."""

    def __init__(self, url: str, seed: int) -> None:
        self.random = Random(seed)
        clock = SystemClock()
        self.storage = Storage(url, clock)
        self.storage.open()
        self.crashes: list[str] = []
        identity = Identity()
        self.owner = identity.id
        self.stored_a_batch = Event()
        around = runtime(clock, self.crashes)
        self.delivery = Delivery(
            self.storage, FakeReceiver(), FakeNames(), settings(lease_seconds=2.0), around, identity=identity
        )
        self.spool = EventSpool(
            self.storage,
            settings(),
            around,
            identity=identity,
            stored=self.delivery.wake,
            due=self.stored_a_batch.set,
            first_question=lambda _: 0.0,
            unfollow=lambda _: None,
        )
        self.done = 0
        #: jobs that were given up, after 5 seconds
        self.refused = 0
        #: seconds that each transaction about one conversation took
        self.waits: list[float] = []

    def start(self) -> None:
        self.spool.start()
        self.delivery.start()

    def stop(self) -> None:
        assert self.spool.stop(20.0) == []
        assert self.delivery.stop(20.0) == []
        self.storage.close()
        assert self.crashes == []

    def one(self) -> str:
        return self.random.choice(ids(FEW))

    def event(self) -> AcwEvent:
        """One of few events of a conversation, so that most come again, some with other content."""
        return AcwEvent(
            conversation_id=self.one(),
            participant_id="p",
            session_id=f"s-{self.random.randrange(50)}",
            user_id=f"u-{self.random.randrange(3)}",
            event_time=stored.NOW,
            wrapup_code=f"code-{self.random.randrange(2)}",
        )

    def run(self, job: Callable[[Connection, int], object]) -> None:
        """Run a job about one conversation."""
        begun = time.monotonic()
        try:
            self.storage.run(lambda connection: job(connection, database_now(connection)))
        except PairedAlready:
            pass
        except StorageUnavailable:
            self.refused += 1
        self.waits.append(time.monotonic() - begun)
        self.done += 1
        gevent.sleep(self.random.uniform(0, 0.1))

    def hand_over(self) -> None:
        some = ids(MANY)
        self.random.shuffle(some)
        self.stored_a_batch.clear()
        if self.random.random() < 0.3:
            self.spool.uncovered(some, stored.NOW)
        self.spool.covered(some, f"channel-{self.random.random()}")
        for _ in range(10):
            self.spool.notified(Acw(event=self.event()), b"{}")
        self.stored_a_batch.wait(SECONDS)
        self.done += 1
        gevent.sleep(0.2)

    def register(self) -> None:
        one, of = self.one(), self.random.choice((CUSTOMER, CUSTOMER, OTHER_CUSTOMER))
        self.run(lambda c, now: stored.register(c, one, of, now=now, owner=self.owner))

    def close(self) -> None:
        one = self.one()
        self.run(lambda c, now: conversations.close(c, one, without_record="no_acw", now=now, last_look_at=now))

    def reconcile(self) -> None:
        """Store an event that an answer names, and release the conversation, as the consequences of an answer do."""
        event = self.event()
        one = event.conversation_id

        def job(connection: Connection, now: int) -> None:
            intake.put(connection, event, intake.BACKFILL, now=now, due_at=now, deadline_at=now + FOLLOW_MS)
            reconciliation.release(
                connection,
                one,
                now=now,
                due_at=now,
                asked_at=now,
                known_until=now,
                ended_at=now,
                follow_ms=FOLLOW_MS,
                owner=self.owner,
            )
            if self.random.random() < 0.5:
                reconciliation.take_up(connection, one, now=now, due_at=now, owner=self.owner)

        self.run(job)

    def result(self) -> None:
        event = self.event()
        result = AcwEvent(conversation_id=event.conversation_id, user_id=event.user_id, event_time=stored.NOW)
        self.run(lambda c, now: intake.put_result(c, result, now=now, due_at=now, deadline_at=now + FOLLOW_MS))

    def requeue(self) -> None:
        def job(connection: Connection) -> None:
            now = database_now(connection)
            due = outbox.due(connection, now=now, lease_ms=2000, limit=5)
            dead = [one.id for one in dead_letters.dead_letters(connection, limit=20)]
            dead_letters.requeue_many(connection, [*dead, *(one.id for one in due)], now=now, why="by hand")

        self.storage.run(job)
        self.done += 1
        gevent.sleep(0.05)

    def erase(self) -> None:
        def job(connection: Connection) -> None:
            some = customer.conversations_of(connection, OTHER_CUSTOMER)[:25]
            customer.erase(connection, OTHER_CUSTOMER, some, even_undelivered=True, now=database_now(connection))

        self.storage.run(job)
        self.done += 1
        gevent.sleep(0.05)

    def adopt(self) -> None:
        self.storage.run(lambda c: ownership.adopt(c, self.owner, lease_ms=1, now=database_now(c), limit=500))
        self.done += 1
        gevent.sleep(0.3)


def deadlocks(server: Engine, database: str) -> int:
    """The deadlocks of a database that nobody uses any longer: a session tells its count when it ends."""
    name = {"name": database.rpartition("/")[2]}
    with server.connect() as connection:
        sessions = text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name")
        until(lambda: not connection.execute(sessions, name).scalar_one())
        count = text("SELECT deadlocks FROM pg_stat_database WHERE datname = :name")
        return int(connection.execute(count, name).scalar_one())


def test_whatever_happens_at_once_no_transactions_wait_for_each_other(postgres_server: Engine, database: str) -> None:
    both = [Instance(database, seed) for seed in (1, 2)]
    for one in ids(MANY):
        both[0].storage.run(lambda c, one=one: stored.register(c, one))  # type: ignore[misc]
    end = time.monotonic() + SECONDS

    def repeat(action: Callable[[], None]) -> None:
        while time.monotonic() < end:
            action()

    for instance in both:
        instance.start()
    actions = [
        action
        for i in both
        for action in (i.hand_over, i.register, i.register, i.close, i.reconcile, i.result, i.requeue, i.erase, i.adopt)
    ]
    gevent.joinall([gevent.spawn(repeat, action) for action in actions], raise_error=True)
    for instance in both:
        instance.stop()

    found = deadlocks(postgres_server, database)
    refused = sum(instance.refused for instance in both)
    waits = sorted(wait for instance in both for wait in instance.waits)
    assert (found, refused) == (0, 0), f"the median of {len(waits)} transactions took {waits[len(waits) // 2]:.3f} s"
    assert all(instance.done > 10 for instance in both)


def test_a_deadlock_would_be_counted(postgres_server: Engine, database: str) -> None:
    storage = Storage(database, SystemClock())
    storage.open()
    some = ids(2)
    for one in some:
        storage.run(lambda c, one=one: stored.register(c, one))  # type: ignore[misc]
    first_locked = [Event(), Event()]

    def lock_both(mine: int) -> None:
        def job(connection: Connection) -> None:
            connection.exec_driver_sql("SET LOCAL deadlock_timeout = '20ms'")
            for n in (mine, 1 - mine):
                stored.register(connection, some[n])
                first_locked[mine].set()
                first_locked[1 - mine].wait()

        storage.run(job)

    gevent.joinall([gevent.spawn(lock_both, n) for n in (0, 1)], raise_error=True)
    storage.close()

    assert deadlocks(postgres_server, database) >= 1
