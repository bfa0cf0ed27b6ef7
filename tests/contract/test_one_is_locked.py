"""A person keeps one conversation locked in psql, and two instances store the same work at the same moment."""

from collections.abc import Iterator
from dataclasses import replace

import gevent
import pytest
from sqlalchemy import Connection, make_url, select

from genesys_gateway.domain.after_call_work import Acw, AcwEvent, Unreadable
from genesys_gateway.intake import EventSpool, SupportResults
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage.connections import engine_of
from genesys_gateway.storage.statements import coverage
from genesys_gateway.storage.statements.intake import IntakeResult
from genesys_gateway.storage.tables import conversation, counterpart, entry, quarantine
from tests.doubles import stored_rows as stored
from tests.doubles.channels import ids
from tests.doubles.counted_storage import CountedStorage
from tests.doubles.genesys import settings
from tests.doubles.runtime import runtime, until
from tests.doubles.stored_rows import NOW, OWNER

LOCKED, FREE = ids(2)


class Instance:
    """The intake of one instance."""

    def __init__(self, url: str) -> None:
        self.storage = CountedStorage(url, SystemClock())
        self.storage.open()
        self.crashes: list[str] = []
        self.metrics = Metrics()
        around = runtime(SystemClock(), self.crashes, metrics=self.metrics)
        self.spool = EventSpool(
            self.storage,
            settings(),
            around,
            identity=Identity(OWNER),
            stored=lambda: None,
            due=lambda: None,
            first_question=lambda _: 0.0,
            unfollow=lambda _: None,
        )
        self.results = SupportResults(self.storage, settings(), around, stored=lambda: None, due=lambda: None)
        self.spool.start()

    def hear(self, event: AcwEvent) -> None:
        self.spool.notified(Acw(event=event), b"{}")

    def state(self, one: str) -> str:
        return str(self.storage.run(lambda c: stored.get_conversation(c, one)).state)

    def records(self, one: str) -> int:
        query = select(entry.c.id).where(entry.c.conversation_id == one)
        return len(self.storage.run(lambda c: c.execute(query).all()))

    def close(self) -> None:
        assert self.spool.stop(10.0) == []
        self.storage.close()
        assert self.crashes == []


@pytest.fixture
def instance(postgres_url: str) -> Iterator[Instance]:
    made = Instance(postgres_url)
    for one in (LOCKED, FREE):
        made.storage.run(lambda c, one=one: stored.register(c, one))  # type: ignore[misc]
    yield made
    made.close()


@pytest.fixture
def psql(postgres_url: str, instance: Instance) -> Iterator[Connection]:
    """A person's session that has locked the row of a conversation."""
    engine = engine_of(make_url(postgres_url), seconds=5.0)
    with engine.connect() as connection:
        connection.execute(select(conversation.c.id).where(conversation.c.id == LOCKED).with_for_update()).one()
        yield connection
    engine.dispose()


def event_of(one: str, session: str = "s") -> AcwEvent:
    return AcwEvent(conversation_id=one, participant_id="p", session_id=session, user_id="u", event_time=NOW)


def test_events_and_covers_of_other_conversations_are_stored_at_once(instance: Instance, psql: Connection) -> None:
    for number in range(300):  # more than a batch
        instance.hear(event_of(LOCKED, str(number)))
    instance.spool.covered([LOCKED, FREE], "c-1")
    instance.hear(event_of(FREE))

    until(lambda: instance.state(FREE) == "subscribed" and instance.records(FREE) == 1)
    assert (instance.state(LOCKED), instance.records(LOCKED)) == ("pending", 0)

    psql.rollback()
    until(lambda: instance.state(LOCKED) == "subscribed" and instance.records(LOCKED) == 300)
    lines = instance.storage.run(lambda c: stored.get_timeline(c, LOCKED))
    assert [line for line, _ in lines][-2:] == ["event_stored", "subscribed"], "in order of arrival"


def test_what_waits_for_a_lock_is_tried_again_with_pauses(instance: Instance, psql: Connection) -> None:
    before = instance.storage.jobs
    instance.hear(event_of(LOCKED))

    gevent.sleep(1.0)

    assert 2 < instance.storage.jobs - before < 12
    psql.rollback()
    until(lambda: instance.records(LOCKED) == 1)


def test_a_registration_of_another_conversation_does_not_wait(instance: Instance, psql: Connection) -> None:
    with gevent.Timeout(4.0):
        instance.storage.run(lambda c: stored.register(c, FREE))

    waiting = gevent.spawn(instance.storage.run, lambda c: stored.register(c, LOCKED))
    gevent.sleep(0.1)
    assert not waiting.ready()
    psql.rollback()
    waiting.get(timeout=5.0)


def test_after_an_overflow_a_locked_conversation_becomes_due_as_soon_as_it_can(
    instance: Instance, psql: Connection
) -> None:
    busy = instance.storage.run(lambda c: coverage.make_all_due(c, NOW + 7))

    assert busy == [LOCKED]
    assert instance.storage.run(lambda c: stored.get_conversation(c, FREE)).due_at == NOW + 7
    psql.rollback()


def test_a_frame_that_can_not_be_read_waits_only_if_its_conversation_is_locked(
    instance: Instance, psql: Connection
) -> None:
    for one in (LOCKED, FREE):
        instance.spool.notified(Unreadable(reason="not_json", conversation_id=one), b"?")

    def frames() -> int:
        return len(instance.storage.run(lambda c: c.execute(select(quarantine.c.seq)).all()))

    until(lambda: frames() == 1)
    psql.rollback()
    until(lambda: frames() == 2)


def test_a_repeated_event_does_not_wait_for_its_entry(instance: Instance, psql: Connection) -> None:
    psql.rollback()
    instance.hear(event_of(FREE))
    until(lambda: instance.records(FREE) == 1)
    psql.execute(entry.update().values(next_at=0))  # an open transaction of delivery or a person

    instance.hear(event_of(FREE))
    instance.hear(event_of(LOCKED))

    until(lambda: instance.records(LOCKED) == 1)
    until(lambda: instance.metrics.registry.get_sample_value("genesys_gateway_events_duplicate_total") == 1)
    psql.rollback()


def test_what_follows_an_event_whose_entry_is_locked_waits_with_it(instance: Instance, psql: Connection) -> None:
    psql.rollback()
    first = event_of(FREE)
    instance.hear(first)
    until(lambda: instance.records(FREE) == 1)
    psql.execute(entry.update().values(next_at=0))

    instance.hear(replace(first, wrapup_code="other"))
    instance.hear(event_of(FREE, "next"))
    instance.hear(event_of(LOCKED))

    until(lambda: instance.records(LOCKED) == 1)
    assert instance.records(FREE) == 1
    psql.rollback()
    until(lambda: instance.records(FREE) == 2)
    lines = instance.storage.run(lambda c: stored.get_timeline(c, FREE))
    assert [line for line, _ in lines] == ["registered", "event_stored", "amended", "event_stored"]


def test_a_stop_waits_for_the_lock(instance: Instance, psql: Connection) -> None:
    instance.hear(event_of(LOCKED))
    stopping = gevent.spawn(instance.spool.stop, 5.0)
    gevent.sleep(0.3)
    assert not stopping.ready()

    psql.rollback()

    assert stopping.get() == []
    assert instance.records(LOCKED) == 1


def test_an_event_and_its_result_on_two_instances_at_the_same_moment_are_one_record(
    instance: Instance, postgres_url: str
) -> None:
    other = Instance(postgres_url)
    for number in range(60):
        event = AcwEvent(
            conversation_id=FREE, participant_id="p", session_id=f"s-{number}", user_id=f"u-{number}", event_time=NOW
        )
        result = AcwEvent(conversation_id=FREE, user_id=event.user_id, event_time=NOW)
        taking = gevent.spawn(other.results.take, result)
        if number % 3:
            gevent.sleep(0.001 * (number % 3))
        instance.hear(event)
        assert taking.get().result in (IntakeResult.STORED, IntakeResult.DUPLICATE)

    def pairs() -> list[str]:
        query = select(counterpart.c.entry_id).where(counterpart.c.conversation_id == FREE)
        return list(instance.storage.run(lambda c: c.execute(query).scalars().all()))

    until(lambda: len(pairs()) == 60)
    other.close()
    assert instance.records(FREE) == 60
    assert len(set(pairs())) == 60
