"""Several instances deliver the entries of one PostgreSQL database."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event
from sqlalchemy import Connection, insert, select, update

from genesys_gateway.delivery.dispatcher import Delivery
from genesys_gateway.delivery.outcome import of_lookup
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage import Storage, database_now
from genesys_gateway.storage.statements import outbox
from genesys_gateway.storage.statements.outbox import ReadyEntry
from genesys_gateway.storage.tables import conversation, entry
from tests.doubles.delivery import CONVERSATION, FakeNames, FakeReceiver, record_id
from tests.doubles.genesys import settings
from tests.doubles.runtime import runtime, until

LEASE_MS = 20_000
FIRST = "11111111-2222-4333-8444-555555555555"
SECOND = "22222222-2222-4333-8444-555555555555"


class Instance:
    """The delivery of one instance, with a storage of its own on the shared database."""

    def __init__(self, url: str, receiver: FakeReceiver, **changes: Any) -> None:
        self.metrics = Metrics()
        self.storage = Storage(url, SystemClock())
        self.storage.open()
        self.crashes: list[str] = []
        self.delivery = Delivery(
            self.storage,
            receiver,
            FakeNames(),
            settings(**changes),
            runtime(SystemClock(), self.crashes, metrics=self.metrics),
            owner=str(id(self)),
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


def store(storage: Storage, count: int) -> None:
    def job(connection: Connection) -> None:
        now = database_now(connection)
        content = f'{{"conversation_id": "{CONVERSATION}"}}'
        row = {"conversation_id": CONVERSATION, "source": "live", "content": content, "state": "pending"}
        rows = [{**row, "id": record_id(n), "stored_at": now, "next_at": now} for n in range(count)]
        connection.execute(insert(entry), rows)
        pair = {"id": CONVERSATION, "customer_id": FIRST, "state": "pending", "created_at": 0, "deadline_at": 0}
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


def test_a_claim_waits_for_a_re_pairing_under_way_and_takes_its_customer(storage: Storage) -> None:
    store(storage, 1)
    locked, go_on = Event(), Event()

    def re_pair(connection: Connection) -> None:
        mine = conversation.c.id == CONVERSATION
        connection.execute(select(conversation).where(mine).with_for_update()).one()
        locked.set()
        go_on.wait()
        connection.execute(update(conversation).where(mine).values(customer_id=SECOND))

    def claim(connection: Connection) -> list[str | None]:
        now = database_now(connection)
        wanted = [ReadyEntry(entry=one) for one in outbox.due(connection, now=now + 1, lease_ms=LEASE_MS, limit=1)]
        claims = outbox.claim(connection, wanted, owner="me", now=now, lease_ms=LEASE_MS)
        return [one.known.customer_id for one in claims]

    pairing = gevent.spawn(storage.run, re_pair)
    locked.wait()
    claiming = gevent.spawn(storage.run, claim)
    gevent.sleep(0.05)
    assert not claiming.dead
    go_on.set()

    assert claiming.get() == [SECOND]
    pairing.get()
