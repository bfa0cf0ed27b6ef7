"""Several instances deliver the entries of one PostgreSQL database."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from sqlalchemy import Connection, insert, make_url, select, update

from genesys_gateway.delivery.dispatcher import Delivery
from genesys_gateway.delivery.outcome import of_lookup
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage import Storage, database_now
from genesys_gateway.storage.connections import engine_of
from genesys_gateway.storage.statements import claims, locks, outbox
from genesys_gateway.storage.statements.claims import ReadyEntry
from genesys_gateway.storage.tables import conversation, entry, instance
from tests.doubles import stored_rows as stored
from tests.doubles.counted_storage import CountedStorage
from tests.doubles.delivery import CONVERSATION, FakeNames, FakeReceiver, record_id
from tests.doubles.genesys import settings
from tests.doubles.runtime import runtime, until

LEASE_MS = 20_000
FIRST = "11111111-2222-4333-8444-555555555555"
SECOND = "22222222-2222-4333-8444-555555555555"
OTHER = "633ba5f4-38cd-48fc-bb4c-d77057990b9f"


class Instance:
    """The delivery of one instance, with a storage of its own on the shared database."""

    def __init__(self, url: str, receiver: FakeReceiver, **changes: Any) -> None:
        self.metrics = Metrics()
        self.storage = CountedStorage(url, SystemClock())
        self.storage.open()
        self.crashes: list[str] = []
        self.delivery = Delivery(
            self.storage,
            receiver,
            FakeNames(),
            settings(**changes),
            runtime(SystemClock(), self.crashes, metrics=self.metrics),
            identity=Identity(str(id(self))),
        )

    def close(self) -> None:
        self.delivery.stop(5.0)
        self.storage.close()
        assert self.crashes == []


@pytest.fixture
def storage(postgres_url: str) -> Iterator[Storage]:
    storage = Storage(postgres_url, SystemClock())
    storage.open()
    yield storage
    storage.close()


@pytest.fixture
def psql(postgres_url: str) -> Iterator[Connection]:
    """A person's session."""
    engine = engine_of(make_url(postgres_url), seconds=5.0)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def store(storage: Storage, count: int, *, of: str = CONVERSATION) -> None:
    first = 0 if of == CONVERSATION else 1000

    def job(connection: Connection) -> None:
        now = database_now(connection)
        content = f'{{"conversation_id": "{of}"}}'
        row = {"conversation_id": of, "source": "live", "content": content, "state": "pending"}
        rows = [{**row, "id": record_id(first + n), "stored_at": now, "next_at": now} for n in range(count)]
        connection.execute(insert(entry), rows)
        pair = {"id": of, "customer_id": FIRST, "state": "pending", "created_at": 0, "deadline_at": 0}
        connection.execute(insert(conversation).values(pair))

    storage.run(job)


def delivered(storage: Storage) -> int:
    query = select(entry.c.id).where(entry.c.state == "delivered")
    return len(storage.run(lambda connection: connection.execute(query).all()))


def test_each_record_is_sent_by_one_instance_only(storage: Storage, postgres_url: str) -> None:
    receiver = FakeReceiver()
    store(storage, 500)
    instances = [Instance(postgres_url, receiver) for _ in range(3)]

    for one in instances:
        one.delivery.start()
    until(lambda: delivered(storage) == 500, 20.0)
    for one in instances:
        one.close()

    assert max(receiver.times.values()) == 1
    assert len(receiver.times) == 500
    assert receiver.lookups == []


def test_what_an_instance_that_died_had_claimed_is_asked_about_by_another(storage: Storage, postgres_url: str) -> None:
    store(storage, 3)
    dying, living = FakeReceiver(), FakeReceiver()
    dying.hangs = {record_id(n) for n in range(3)}
    victim = Instance(postgres_url, dying, lease_seconds=0.5, http_timeout_seconds=0.2)
    victim.delivery.start()
    until(lambda: len(dying.posts) == 3)
    victim.delivery.stop(0.01)

    living.found = lambda _: of_lookup(200)
    heir = Instance(postgres_url, living, lease_seconds=0.5, http_timeout_seconds=0.2)
    heir.delivery.start()
    until(lambda: delivered(storage) == 3)

    assert sorted(living.lookups) == [record_id(n) for n in range(3)]
    assert living.posts == []
    assert heir.metrics.registry.get_sample_value("genesys_gateway_deliveries_ambiguous_total") == 3
    heir.close()
    victim.close()


def claims_of_all(connection: Connection) -> list[str | None]:
    """The customers of the claims that can be made now."""
    now = database_now(connection)
    wanted = [ReadyEntry(entry=one) for one in outbox.due(connection, now=now + 1, lease_ms=LEASE_MS, limit=9)]
    return [one.known.customer_id for one in claims.claim(connection, wanted, owner="me", now=now, lease_ms=LEASE_MS)]


def test_during_a_re_pairing_nothing_is_claimed_and_then_with_the_new_customer(
    storage: Storage, psql: Connection
) -> None:
    store(storage, 1)
    stored.register(psql, CONVERSATION, SECOND)

    assert storage.run(claims_of_all) == []
    psql.commit()

    assert storage.run(claims_of_all) == [SECOND]


def test_while_a_claim_is_made_an_event_of_its_conversation_need_not_wait(storage: Storage, psql: Connection) -> None:
    store(storage, 1)

    assert claims_of_all(psql) == [FIRST]

    assert storage.run(lambda c: locks.busy_rows(c, [CONVERSATION])) == set()
    psql.rollback()


def test_a_lock_in_psql_delays_the_records_of_that_conversation_only(
    storage: Storage, postgres_url: str, psql: Connection
) -> None:
    store(storage, 3)
    store(storage, 3, of=OTHER)
    psql.execute(select(conversation.c.id).where(conversation.c.id == CONVERSATION).with_for_update())
    receiver = FakeReceiver()
    instance = Instance(postgres_url, receiver)
    instance.delivery.start()

    until(lambda: delivered(storage) == 3)
    before = instance.storage.jobs
    gevent.sleep(0.5)
    assert instance.storage.jobs - before < 40, "it makes pauses"
    assert all(record["interactionId"] == OTHER for record in receiver.posts)

    psql.rollback()
    until(lambda: delivered(storage) == 6)
    instance.close()
    assert max(receiver.times.values()) == 1


def test_the_end_of_an_attempt_waits_for_a_lock_on_its_record_and_other_ends_do_not(
    storage: Storage, postgres_url: str, psql: Connection
) -> None:
    store(storage, 3)
    receiver = FakeReceiver()
    receiver.hangs = {record_id(n) for n in range(3)}
    instance = Instance(postgres_url, receiver)
    instance.delivery.start()
    until(lambda: len(receiver.posts) == 3)
    psql.execute(select(entry.c.id).where(entry.c.id == record_id(1)).with_for_update())
    before = instance.storage.jobs

    receiver.release.set()
    until(lambda: delivered(storage) == 2)
    gevent.sleep(0.3)
    assert instance.storage.jobs - before < 40, "it makes pauses"

    psql.rollback()
    until(lambda: delivered(storage) == 3)
    instance.close()
    assert max(receiver.times.values()) == 1
    assert instance.metrics.registry.get_sample_value("genesys_gateway_deliveries_total", {"outcome": "delivered"}) == 3


def test_a_stop_waits_for_the_lock_on_a_record_whose_attempt_has_ended(
    storage: Storage, postgres_url: str, psql: Connection
) -> None:
    store(storage, 1)
    receiver = FakeReceiver()
    receiver.hangs = {record_id(0)}
    instance = Instance(postgres_url, receiver)
    instance.delivery.start()
    until(lambda: receiver.posts)
    psql.execute(select(entry.c.id).where(entry.c.id == record_id(0)).with_for_update())
    receiver.release.set()

    stopping = gevent.spawn(instance.delivery.stop, 5.0)
    gevent.sleep(0.2)
    assert not stopping.dead
    psql.rollback()

    assert stopping.get() == []
    assert delivered(storage) == 1
    instance.close()


def test_a_claim_of_an_instance_with_a_longer_lease_is_not_taken_for_one_of_a_wrong_clock(storage: Storage) -> None:
    store(storage, 1)

    def job(connection: Connection) -> tuple[int, int]:
        now = database_now(connection)
        ids = {"id": "longer", "epoch": 1, "started_at": now, "lease_until": now + 40_000, "lease_ms": 40_000}
        connection.execute(insert(instance).values(ids))
        [due] = outbox.due(connection, now=now, lease_ms=40_000, limit=10)
        claims.claim(connection, [ReadyEntry(entry=due)], owner="longer", now=now, lease_ms=40_000)
        kept = len(outbox.due(connection, now=now, lease_ms=10_000, limit=10))
        connection.execute(update(instance).values(ended_at=now))
        return kept, len(outbox.due(connection, now=now, lease_ms=10_000, limit=10))

    assert storage.run(job) == (0, 1)
