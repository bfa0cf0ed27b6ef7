"""Two instances that erase and forget at the same time: each piece by one, and neither ends early or waits for ever."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gevent
import pytest
from sqlalchemy import Connection, func, select

from genesys_gateway.maintenance.forgetting import Forgotten
from genesys_gateway.maintenance.retention import Erased, Retention, Watch
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import accounting
from genesys_gateway.storage.tables import conversation, entry, quarantine, registration, transition
from tests.doubles import stored_rows as stored
from tests.doubles.genesys import settings
from tests.doubles.runtime import FakeClock, runtime
from tests.doubles.stored_rows import DAY, NOW

#: More than one batch of each kind.
MANY = 350
RESULTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance with a retention of its own."""

    storage: Storage
    clock: FakeClock
    retention: Retention


@pytest.fixture
def instances(postgres_url: str) -> Iterator[list[Instance]]:
    """Two instances on one PostgreSQL."""
    both = []
    for _ in range(2):
        clock = FakeClock()
        # Patient: to fill the tables takes long on a busy machine
        storage = Storage(postgres_url, clock, patience_seconds=30)
        storage.open()
        made = Retention(
            storage,
            settings(),
            runtime(clock, [], metrics=Metrics()),
            database_now=lambda _, clock=clock: clock.now(),  # type: ignore[misc]
        )
        both.append(Instance(storage=storage, clock=clock, retention=made))
    yield both
    for one in both:
        one.storage.close()


def past(connection: Connection) -> None:
    """Closed conversations with a record each, supportResults without one, frames; some are misdated."""
    ids = [f"c-{number:04d}" for number in range(MANY)]
    for number, one in enumerate(ids):
        misdated = {"closed_at": NOW + 90 * DAY} if number % 10 == 0 else {}
        stored.put_conversations(connection, stored.conversation_row(one, **misdated))
        stored.put(connection, registration, {"conversation_id": one, "accepted_at": NOW})
        stored.put_entries(connection, stored.entry_row(f"r-{number}", one))
        stored.put_frame(connection, "{}")
    for number in range(RESULTS):
        stored.put_entries(connection, stored.dead_row(f"s-{number}", f"u-{number}", source="supportResult"))


def at_once(instances: list[Instance], days: float) -> tuple[list[Erased], list[Forgotten]]:
    """Let time pass for both, then let both erase and forget at the same moment."""
    watches = [one.retention.watch() for one in instances]
    for one in instances:
        one.clock.advance(days * 86_400)
    pairs = list(zip(instances, watches, strict=True))
    erased, forgotten = list[Erased](), list[Forgotten]()

    def both(act: Callable[[Retention, Watch], None]) -> None:
        with gevent.Timeout(60):
            gevent.joinall([gevent.spawn(act, one.retention, watch) for one, watch in pairs], raise_error=True)

    both(lambda retention, watch: erased.append(retention.erase(watch)))
    both(lambda retention, watch: forgotten.append(retention.forget(watch)))
    return erased, forgotten


def erase_all(instances: list[Instance]) -> list[Erased]:
    """Three runs of both: the first sets back what is misdated, the last takes what waited for the other's records."""
    return [one for days in (8, 15, 1) for one in at_once(instances, days)[0]]


def test_each_piece_is_erased_by_one_and_all_of_them(instances: list[Instance]) -> None:
    storage = instances[0].storage
    storage.run(past)

    erase_all(instances)

    def left(connection: Connection) -> list[int]:
        full = [select(func.count()).where(table.c.erased_at.is_(None)) for table in (conversation, entry)]
        frames = select(func.count()).select_from(quarantine)
        return [int(connection.execute(query).scalar_one()) for query in (*full, frames)]

    def noted(connection: Connection) -> list[int]:
        times = select(func.count()).where(transition.c.event == "erased").group_by(transition.c.conversation_id)
        return sorted(set(connection.execute(times).scalars()))

    assert storage.run(left) == [0, RESULTS, 0]
    assert storage.run(noted) == [2]  # each conversation once, and its record once


def test_both_count_together_what_there_was(instances: list[Instance]) -> None:
    instances[0].storage.run(past)
    erased = erase_all(instances)

    assert sum(one.records for one in erased) == MANY
    assert sum(one.conversations for one in erased) == MANY
    assert sum(one.frames for one in erased) == MANY


def test_each_conversation_is_forgotten_by_one_and_the_balance_stays(instances: list[Instance]) -> None:
    storage = instances[0].storage
    storage.run(past)
    erase_all(instances)
    before = storage.run(accounting.balance)

    _, forgotten = at_once(instances, 420)

    assert sum(one.conversations for one in forgotten) == MANY
    assert sum(one.unregistered for one in forgotten) == RESULTS
    assert storage.run(lambda c: c.execute(select(func.count()).select_from(conversation)).scalar_one()) == 0
    after = storage.run(accounting.balance)
    assert (after.accepted, after.closed, after.unaccounted) == (before.accepted, MANY, 0)


def test_a_lock_that_a_person_holds_delays_what_it_locks_alone(instances: list[Instance]) -> None:
    one, other = instances
    one.storage.run(past)

    def hold(connection: Connection) -> list[Erased]:
        # One whose date is right, and one that a wrong clock has dated.
        held = select(conversation.c.id).where(conversation.c.id.in_(["c-0001", "c-0010"])).with_for_update()
        connection.execute(held).all()
        return [found for days in (8, 15) for found in at_once([other], days)[0]]

    assert sum(found.conversations for found in one.storage.run(hold)) == MANY - 2
