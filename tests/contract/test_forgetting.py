"""What is deleted after its time, what must not be, and that the balance goes on counting it; on both databases."""

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from sqlalchemy import Connection, Engine, create_engine, delete, func, select, update

from genesys_gateway.domain.after_call_work import Unreadable
from genesys_gateway.maintenance.forgetting import Forgotten
from genesys_gateway.maintenance.retention import Retention
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import (
    accounting,
    conversations,
    dead_letters,
    forgetting,
    intake,
    last_look,
    locks,
)
from genesys_gateway.storage.statements.accounting import Balance
from genesys_gateway.storage.statements.conversations import Pairing
from genesys_gateway.storage.tables import conversation, counterpart, entry, registration, transition
from tests.contract.interleaved import stage_on
from tests.doubles import stored_rows as stored
from tests.doubles.genesys import settings
from tests.doubles.runtime import FakeClock, runtime
from tests.doubles.stored_rows import CONVERSATION, DAY, EVENT, NOW, OTHER_CONVERSATION

NOTHING = Forgotten(conversations=0, unregistered=0)
ONE = Forgotten(conversations=1, unregistered=0)


class Archive:
    """A gateway that erases after 7 days and forgets after 400, on a database, with a clock to move."""

    def __init__(self, storage: Storage, clock: FakeClock, **changes: Any) -> None:
        self.clock = clock
        self.metrics = Metrics()
        self.run = storage.run
        self.retention = Retention(
            storage,
            settings(**changes),
            runtime(clock, [], metrics=self.metrics),
            database_now=lambda _: clock.now(),
        )

    def registered(self, conversation_id: str = CONVERSATION, *rows: dict[str, Any]) -> None:
        """A conversation that was registered and closed now, with these records."""

        def job(connection: Connection) -> None:
            now = self.clock.now()
            stored.register(connection, conversation_id, now=now)
            stored.put_entries(connection, *rows)
            conversations.close(connection, conversation_id, without_record="no_acw", now=now, last_look_at=now)

        self.run(job)

    def day(self, number: float) -> Forgotten:
        """Let that day come: two steps of a week, which erase, then the rest. Returns what the last run forgot."""
        forgotten = NOTHING
        steps = iter((7, 7))
        while (left := NOW + round(number * DAY) - self.clock.now()) > 0:
            watch = self.retention.watch()
            self.clock.advance(min(left, next(steps, number) * DAY) / 1000)
            self.retention.erase(watch)
            forgotten = self.retention.forget(watch)
        return forgotten

    def rows(self, conversation_id: str = CONVERSATION) -> int:
        """Number of rows about a conversation, in all tables."""
        keys = (
            conversation.c.id,
            registration.c.conversation_id,
            entry.c.conversation_id,
            counterpart.c.conversation_id,
            transition.c.conversation_id,
        )
        counts = [select(func.count()).where(key == conversation_id) for key in keys]
        return self.run(lambda c: sum(c.execute(count).scalar_one() for count in counts))

    @property
    def balance(self) -> Balance:
        return self.run(accounting.balance)


@pytest.fixture
def archive(storage: Storage, clock: FakeClock) -> Archive:
    return Archive(storage, clock)


def delivered(record_id: str = "r-1", conversation_id: str = CONVERSATION) -> dict[str, Any]:
    return stored.entry_row(record_id, conversation_id)


def test_a_closed_conversation_is_deleted_with_everything_about_it_after_its_time(archive: Archive) -> None:
    archive.registered(CONVERSATION, delivered())
    row = {"id": "r-2", "kind": "agent", "entry_id": "r-1", "conversation_id": CONVERSATION}
    archive.run(lambda c: stored.put(c, counterpart, row))

    archive.day(399)
    assert archive.rows() > 4

    archive.day(410)
    assert archive.rows() == 0
    assert archive.run(lambda c: conversations.view(c, CONVERSATION)) is None
    assert archive.metrics.forgotten.labels(kind="conversation")._value.get() == 1


def test_the_balance_goes_on_counting_what_was_deleted(archive: Archive) -> None:
    archive.registered(CONVERSATION, delivered())
    archive.registered(OTHER_CONVERSATION)
    before = archive.balance

    archive.day(410)

    assert archive.rows() + archive.rows(OTHER_CONVERSATION) == 0
    assert archive.balance == before == Balance(accepted=2, states={"closed": 2}, missed=0)


def test_a_loss_is_still_seen_after_its_neighbours_were_deleted(archive: Archive) -> None:
    archive.registered(CONVERSATION)
    archive.day(410)
    archive.registered(OTHER_CONVERSATION)

    archive.run(lambda c: c.execute(delete(conversation)).close())

    assert archive.balance.unaccounted == 1


def test_a_work_that_was_missed_stays_counted(archive: Archive) -> None:
    archive.registered()
    archive.run(lambda c: last_look.note(c, CONVERSATION, 1))

    archive.day(410)

    assert archive.rows() == 0
    assert archive.balance.unaccounted == 1


def test_what_was_deleted_can_be_registered_as_new(archive: Archive) -> None:
    archive.registered(CONVERSATION, delivered())
    archive.day(410)

    pairing, view = archive.run(lambda c: stored.register(c, CONVERSATION, stored.OTHER_CUSTOMER))

    assert pairing is Pairing.NEW
    assert (view.state, [line.event for line in view.timeline]) == ("pending", ["registered"])
    assert archive.balance == Balance(accepted=2, states={"closed": 1, "pending": 1}, missed=0)


@pytest.mark.parametrize("row", [stored.pending_row, stored.dead_row])
def test_a_conversation_with_an_undelivered_record_is_kept(archive: Archive, row: Callable[..., Any]) -> None:
    archive.registered(CONVERSATION, row("r-1", CONVERSATION), delivered("r-2"))

    assert archive.day(2000) == NOTHING

    assert archive.run(lambda c: stored.get_entry(c, "r-1")).content == EVENT.to_json()


def test_one_that_got_a_record_after_its_erasure_is_kept_until_that_is_erased(archive: Archive) -> None:
    archive.registered(CONVERSATION, delivered())
    archive.day(399)
    late = stored.pending_row("r-2", CONVERSATION, stored_at=archive.clock.now())
    archive.run(lambda c: stored.put_entries(c, late))

    archive.day(450)
    assert archive.rows() > 0

    at = archive.clock.now()
    archive.run(lambda c: c.execute(update(entry).values(state="delivered", delivered_at=at)).close())
    archive.day(470)
    assert archive.rows() == 0


def test_a_followed_conversation_is_kept(archive: Archive) -> None:
    archive.run(stored.register)
    archive.run(lambda c: c.execute(update(conversation).values(erased_at=NOW)).close())

    assert archive.day(2000) == NOTHING


def test_one_that_is_followed_again_begins_its_time_anew(archive: Archive) -> None:
    archive.registered()
    archive.day(300)
    archive.registered()

    archive.day(450)
    assert archive.rows() > 0

    archive.day(720)
    assert archive.rows() == 0


def test_many_are_deleted_in_portions(archive: Archive) -> None:
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(250)]
    for one in ids:
        archive.registered(one)
    kept = stored.dead_row("r-1", ids[0])
    archive.run(lambda c: stored.put_entries(c, kept))

    archive.day(410)

    assert [one for one in ids if archive.rows(one)] == ids[:1]
    assert archive.balance == Balance(accepted=250, states={"closed": 250}, missed=0)


def test_a_clock_that_is_years_ahead_deletes_nothing_at_once(archive: Archive) -> None:
    archive.registered(CONVERSATION, delivered())

    archive.clock.jump(3 * 365 * 86_400)
    watch = archive.retention.watch()
    archive.clock.advance(86_400)
    archive.retention.erase(watch)

    assert archive.retention.forget(watch) == NOTHING, "the wrong clock has dated the erasure, too"
    assert archive.rows() > 0


def test_an_erasure_that_a_wrong_clock_dated_ahead_keeps_nothing_for_ever(archive: Archive) -> None:
    archive.registered()
    archive.clock.jump(300 * 365 * 86_400)
    watch = archive.retention.watch()
    archive.clock.advance(86_400)
    archive.retention.erase(watch)
    archive.clock.jump(-300 * 365 * 86_400)

    archive.day(450)
    assert archive.rows() == 0


def test_a_clock_that_jumps_during_the_watch_deletes_nothing(archive: Archive) -> None:
    archive.registered()
    archive.day(399)

    watch = archive.retention.watch()
    archive.clock.jump(100 * 86_400)

    assert archive.retention.forget(watch) == NOTHING


def test_a_time_below_the_retention_counts_as_the_retention(storage: Storage, clock: FakeClock) -> None:
    archive = Archive(storage, clock, forget_days=1.0)
    archive.registered()

    archive.day(6)
    assert archive.rows() > 0

    archive.day(21)
    assert archive.rows() == 0


RESULT = {"source": "supportResult", "participant_id": None, "session_id": None}


@pytest.mark.parametrize("row", [stored.entry_row, stored.dead_row])
def test_a_result_without_a_conversation_is_deleted_with_its_timeline(
    archive: Archive, row: Callable[..., Any]
) -> None:
    archive.run(lambda c: stored.put_entries(c, row("r-1", CONVERSATION, stored_at=NOW, **RESULT)))
    archive.run(lambda c: stored.put(c, transition, {"conversation_id": CONVERSATION, "at": NOW, "event": "dead"}))

    archive.day(399)
    assert archive.rows() >= 2

    archive.day(410)
    assert archive.rows() == 0
    assert not [value for value in stored.PERSONAL if value in archive.run(stored.everything)]
    assert archive.metrics.forgotten.labels(kind="unregistered")._value.get() == 1


@pytest.mark.parametrize("state", ["pending", "delivered"])
def test_a_result_that_is_not_done_is_kept(archive: Archive, state: str) -> None:
    row = stored.pending_row("r-1", CONVERSATION, stored_at=NOW, **RESULT)
    archive.run(lambda c: stored.put_entries(c, row | {"state": state}))

    assert archive.day(2000) == NOTHING
    assert archive.rows() == 1


def test_a_dead_result_with_a_young_neighbour_is_kept(archive: Archive) -> None:
    archive.run(lambda c: stored.put_entries(c, stored.dead_row("r-1", CONVERSATION, stored_at=NOW, **RESULT)))
    young = stored.dead_row("r-2", CONVERSATION, stored_at=NOW + 300 * DAY, **RESULT)
    archive.run(lambda c: stored.put_entries(c, young))

    archive.day(500)

    assert archive.rows() == 2


def test_a_dead_result_of_a_registered_conversation_is_kept(archive: Archive) -> None:
    archive.registered(CONVERSATION, stored.dead_row("r-1", CONVERSATION, stored_at=NOW, **RESULT))

    archive.day(2000)

    assert archive.run(lambda c: stored.get_entry(c, "r-1")).content is not None


def test_an_event_for_a_deleted_conversation_is_one_of_none_registered(archive: Archive) -> None:
    archive.registered(CONVERSATION, delivered())
    archive.day(410)
    event = EVENT.__class__.from_json(EVENT.to_json().replace("c-1", CONVERSATION))

    result = archive.run(lambda c: intake.put(c, event, "live", now=NOW, due_at=NOW, deadline_at=None))

    assert result is intake.IntakeResult.UNREGISTERED
    unreadable = Unreadable(reason="never_registered", conversation_id=CONVERSATION)
    archive.run(lambda c: intake.set_aside(c, unreadable, b"{}", NOW))
    assert archive.rows() == 0


@pytest.fixture
def server(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url, execution_options={"preserve_rowcount": True})
    yield engine
    engine.dispose()


@pytest.fixture
def shared(postgres_url: str) -> Iterator[Storage]:
    storage = Storage(postgres_url, SystemClock())
    storage.open()
    yield storage
    storage.close()


def begun(job: Callable[[], object]) -> "gevent.Greenlet[..., Any]":
    """A job that waits for a lock."""
    waiting = gevent.spawn(job)
    gevent.sleep(0.1)
    assert not waiting.ready()
    return waiting


def test_one_that_is_deleted_while_it_is_registered_again_is_new(server: Engine, shared: Storage) -> None:
    shared.run(lambda c: stored.put_conversations(c, stored.conversation_row(CONVERSATION, closed_at=1, erased_at=1)))
    shared.run(lambda c: stored.put(c, registration, {"conversation_id": CONVERSATION, "accepted_at": 0}))

    with server.begin() as connection:
        locks.hold(connection, CONVERSATION)
        registering = begun(lambda: shared.run(stored.register))
        forgetting.old_conversations(connection, closed_before=2, erased_before=2, limit=1, after=None)

    assert registering.get(timeout=5)[0] is Pairing.NEW
    assert shared.run(accounting.balance) == Balance(accepted=2, states={"closed": 1, "pending": 1}, missed=0)


def test_a_result_that_is_requeued_in_the_moment_of_its_deletion_is_kept(server: Engine, shared: Storage) -> None:
    shared.run(lambda c: stored.put_entries(c, stored.dead_row("r-1", CONVERSATION, stored_at=1, **RESULT)))

    with server.begin() as connection:
        assert dead_letters.requeue(connection, "r-1", now=NOW, why="by hand")
        deleted = shared.run(lambda c: forgetting.old_results(c, before=2, limit=1, after=None))

    assert deleted.deleted == 0
    assert shared.run(lambda c: stored.get_entry(c, "r-1")).state == "pending"


@pytest.mark.parametrize("what", ["conversation", "result"])
def test_what_two_delete_at_the_same_time_is_counted_once(server: Engine, shared: Storage, what: str) -> None:
    deleted: list[int] = []

    def forget(connection: Connection) -> bool:
        if what == "result":
            portion = forgetting.old_results(connection, before=2, limit=9, after=None)
        else:
            portion = forgetting.old_conversations(connection, closed_before=2, erased_before=2, limit=9, after=None)
        deleted.append(portion.deleted)
        return False

    def put(connection: Connection) -> None:
        stored.put_entries(connection, stored.dead_row("r-1", CONVERSATION, stored_at=1, erased_at=1, **RESULT))
        if what == "conversation":
            stored.put_conversations(connection, stored.conversation_row(CONVERSATION, closed_at=1, erased_at=1))

    with stage_on(server) as stage:
        before, statements = 0, 0
        while before <= statements:
            deleted.clear()
            shared.run(put)
            statements, _ = stage.play(forget, forget, before)
            assert sum(deleted) == 1, f"the second begins after {before} statements of the first"
            before += 1
