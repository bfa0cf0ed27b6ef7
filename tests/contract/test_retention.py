"""What retention erases, what it must not, and that a clock that jumps erases nothing; on both databases."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Row

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.maintenance.retention import Erased, Retention, Watch
from genesys_gateway.runtime.errors import PairedAlready, StorageUnavailable
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import conversations, intake
from genesys_gateway.storage.statements.conversations import Newcomer, Pairing
from genesys_gateway.storage.statements.intake import IntakeResult
from tests.doubles import stored_rows as stored
from tests.doubles.genesys import settings
from tests.doubles.runtime import FakeClock, runtime, until
from tests.doubles.stored_rows import DAY, EVENT, NOW, OTHER_CUSTOMER, PERSONAL

NOTHING = Erased(records=0, conversations=0, frames=0)
SECOND = 1000


class Archive:
    """A retention of seven days on a database, with a clock to move and short ways to rows."""

    def __init__(self, storage: Storage, clock: FakeClock) -> None:
        self.clock = clock
        self.metrics = Metrics()
        self.crashes: list[str] = []
        self.run = storage.run
        #: how far the clock of the database is behind ours (milliseconds)
        self.database_lag = 0
        self.retention = Retention(
            storage,
            settings(),
            runtime(clock, self.crashes, metrics=self.metrics),
            # PostgreSQL has a clock of its own, which no test can move.
            database_now=lambda _: clock.now() - self.database_lag,
        )

    def store(self, *jobs: Callable[[Connection], None]) -> None:
        for job in jobs:
            self.run(job)

    def later(self, days: float) -> Erased:
        """Erase after a watch of that length."""
        watch = self.retention.watch()
        self.clock.advance(days * 86_400)
        return self.retention.erase(watch)

    def conversation(self, conversation_id: str) -> Row[*tuple[Any, ...]]:
        return self.run(lambda c: stored.get_conversation(c, conversation_id))

    def entry(self, record_id: str) -> Row[*tuple[Any, ...]]:
        return self.run(lambda c: stored.get_entry(c, record_id))

    def timeline(self, conversation_id: str) -> list[tuple[str, str | None]]:
        return self.run(lambda c: stored.get_timeline(c, conversation_id))


def has(*rows: dict[str, Any]) -> Callable[[Connection], None]:
    """A job that stores conversations and entries, which differ in their columns."""

    def job(connection: Connection) -> None:
        stored.put_conversations(connection, *(row for row in rows if "conversation_id" not in row))
        stored.put_entries(connection, *(row for row in rows if "conversation_id" in row))

    return job


@pytest.fixture
def archive(storage: Storage, clock: FakeClock) -> Archive:
    return Archive(storage, clock)


def test_a_delivered_record_and_its_closed_conversation_lose_their_content_after_their_time(archive: Archive) -> None:
    archive.store(has(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1")))

    assert archive.later(7) == NOTHING, "to the millisecond its time is not over"
    assert archive.later(1) == Erased(records=1, conversations=1, frames=0)

    row = archive.entry("r-1")
    assert (row.content, row.amended_content, row.names, row.last_error) == (None, None, None, None)
    assert (row.state, row.source, row.user_id, row.participant_id) == ("delivered", "live", "u-1", "p-1")
    assert row.erased_at == archive.clock.now()
    row = archive.conversation("c-1")
    assert (row.customer_id, row.state, row.outcome, row.erased_at) == (None, "closed", "logged", archive.clock.now())
    assert archive.timeline("c-1") == [("erased", "r-1"), ("erased", None)]
    assert not [value for value in PERSONAL if value in archive.run(stored.everything)]


def test_what_is_erased_is_erased_once(archive: Archive) -> None:
    archive.store(has(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1")))
    archive.later(8)

    assert archive.later(8) == NOTHING
    assert archive.timeline("c-1") == [("erased", "r-1"), ("erased", None)]


@pytest.mark.parametrize("row", [stored.pending_row, stored.dead_row])
def test_what_is_undelivered_keeps_its_content_and_its_customer(archive: Archive, row: Callable[..., Any]) -> None:
    archive.store(has(stored.conversation_row("c-1"), row("r-1", "c-1"), stored.entry_row("r-2", "c-1")))

    assert archive.later(3000) == Erased(records=1, conversations=0, frames=0)

    assert archive.entry("r-1").content == EVENT.to_json()
    assert archive.entry("r-1").names is not None
    assert archive.entry("r-2").content is None
    assert archive.conversation("c-1").customer_id == stored.CUSTOMER


def test_an_open_conversation_keeps_its_customer_while_its_old_records_are_erased(archive: Archive) -> None:
    archive.store(has(stored.open_row("c-1"), stored.entry_row("r-1", "c-1")))

    assert archive.later(30) == Erased(records=1, conversations=0, frames=0)

    assert archive.conversation("c-1").customer_id == stored.CUSTOMER
    assert archive.timeline("c-1") == [("erased", "r-1")]


def test_a_conversation_waits_for_the_youngest_of_its_records(archive: Archive) -> None:
    archive.store(
        has(stored.conversation_row("c-1"), stored.entry_row("late", "c-1", delivered_at=NOW + 5 * DAY)),
    )

    assert archive.later(8) == NOTHING
    assert archive.later(5) == Erased(records=1, conversations=1, frames=0)


def test_old_frames_are_deleted(archive: Archive) -> None:
    archive.store(
        lambda c: stored.put_frame(c, "old", NOW - SECOND),
        lambda c: stored.put_frame(c, "young", NOW + DAY),
    )

    assert archive.later(7) == Erased(records=0, conversations=0, frames=1)

    assert archive.run(stored.get_frames) == ["young"]


def test_more_than_one_batch_is_erased_and_each_is_counted(archive: Archive) -> None:
    rows = [stored.conversation_row(f"c-{n:03}", closed_at=NOW - n % 2) for n in range(250)]
    # Every fifth can't be erased.
    entries = [(stored.dead_row if n % 5 == 0 else stored.entry_row)(f"r-{n:03}", f"c-{n:03}") for n in range(250)]
    archive.store(has(*rows, *entries))

    assert archive.later(8) == Erased(records=200, conversations=200, frames=0)

    def counted(kind: str) -> float:
        return float(archive.metrics.erased.labels(kind=kind)._value.get())

    assert (counted("record"), counted("conversation"), counted("frame")) == (200, 200, 0)


@pytest.mark.parametrize("days", [1, 8, 400])
def test_a_clock_set_forward_during_a_watch_erases_nothing(archive: Archive, days: float) -> None:
    archive.store(has(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1")))
    archive.later(1)

    watch = archive.retention.watch()
    archive.clock.jump(days * 86_400)
    archive.clock.advance(86_400)

    assert archive.retention.erase(watch) == NOTHING
    assert archive.entry("r-1").content is not None


def test_a_clock_that_was_wrong_when_the_watch_began_and_is_corrected_erases_nothing(archive: Archive) -> None:
    archive.store(has(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1")))

    archive.clock.jump(30 * 86_400)
    watch = archive.retention.watch()
    archive.clock.advance(6 * 3600)
    archive.clock.jump(-30 * 86_400)

    assert archive.retention.erase(watch) == NOTHING


def test_a_clock_set_back_delays_and_erases_in_the_end(archive: Archive) -> None:
    archive.store(has(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1")))
    archive.later(6.9)

    watch = archive.retention.watch()
    archive.clock.jump(-3600)
    archive.clock.advance(0.11 * 86_400)

    assert archive.retention.erase(watch) == NOTHING
    assert archive.later(1) == Erased(records=1, conversations=1, frames=0)


def test_a_database_whose_clock_is_behind_is_believed(archive: Archive) -> None:
    archive.store(has(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1")))
    archive.database_lag = 2 * DAY

    assert archive.later(8) == NOTHING
    assert archive.later(1.1) == Erased(records=1, conversations=1, frames=0)


def test_dates_that_a_wrong_clock_wrote_far_ahead_do_not_last_for_ever(archive: Archive) -> None:
    archive.store(
        has(
            stored.conversation_row("c-1", closed_at=NOW + 4000 * DAY),
            stored.entry_row("r-1", "c-1", delivered_at=NOW + 4000 * DAY),
        )
    )

    assert archive.later(1) == NOTHING
    assert archive.later(14) == NOTHING
    assert archive.later(1) == Erased(records=1, conversations=1, frames=0)


def taken(archive: Archive, event: AcwEvent, source: str = intake.LIVE) -> IntakeResult:
    now = archive.clock.now()
    return archive.run(lambda c: intake.put(c, event, source, now=now, due_at=now, deadline_at=now + DAY))


@pytest.mark.parametrize("source", [intake.LIVE, intake.BACKFILL])
def test_an_event_of_an_erased_entry_is_a_duplicate_and_brings_nothing_back(archive: Archive, source: str) -> None:
    archive.store(has(stored.conversation_row("c-1"), stored.entry_row(EVENT.record_id, "c-1")))
    archive.later(8)

    assert taken(archive, EVENT, source) is IntakeResult.DUPLICATE

    assert archive.entry(EVENT.record_id).content is None
    assert archive.entry(EVENT.record_id).amended_content is None


def test_another_event_of_an_erased_conversation_is_delivered_and_erased_in_its_turn(archive: Archive) -> None:
    archive.store(has(stored.conversation_row("c-1")))
    archive.later(8)

    assert taken(archive, EVENT) is IntakeResult.STORED
    assert archive.later(8) == NOTHING, "it is not delivered yet"
    archive.store(
        lambda c: c.exec_driver_sql(
            f"UPDATE entry SET state = 'delivered', delivered_at = {archive.clock.now()}"
        ).close()
    )

    assert archive.later(8) == Erased(records=1, conversations=0, frames=0)
    assert archive.entry(EVENT.record_id).content is None


def register(archive: Archive, customer_id: str) -> Any:
    now = archive.clock.now()
    newcomer = Newcomer(id="c-1", customer_id=customer_id, now=now, due_at=now, deadline_at=now + 3 * DAY)
    return archive.run(lambda c: conversations.register(c, newcomer, "me"))


@pytest.mark.parametrize("customer_id", [stored.CUSTOMER, OTHER_CUSTOMER])
def test_a_registration_of_an_erased_conversation_is_taken_as_new_data(archive: Archive, customer_id: str) -> None:
    archive.store(has(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1")))
    archive.later(8)

    pairing, view = register(archive, customer_id)

    assert pairing is Pairing.AGAIN
    assert (view.customer_id, view.state, view.outcome) == (customer_id, "pending", None)
    assert archive.conversation("c-1").erased_at is None
    assert [event for event, _ in archive.timeline("c-1")][-2:] == ["re_paired", "followed_again"]


def test_a_pair_that_is_taken_as_new_data_can_be_corrected_as_such(archive: Archive) -> None:
    archive.store(has(stored.conversation_row("c-1"), stored.entry_row("r-1", "c-1")))
    archive.later(8)
    register(archive, OTHER_CUSTOMER)

    _, view = register(archive, stored.CUSTOMER)
    assert view.customer_id == stored.CUSTOMER

    archive.store(has(stored.entry_row("r-2", "c-1")))
    with pytest.raises(PairedAlready):
        register(archive, OTHER_CUSTOMER)


def test_what_was_registered_anew_is_erased_anew(archive: Archive) -> None:
    archive.store(has(stored.conversation_row("c-1")))
    archive.later(8)
    register(archive, OTHER_CUSTOMER)
    now = archive.clock.now()
    archive.store(lambda c: _close(c, now))

    assert archive.later(8) == Erased(records=0, conversations=1, frames=0)
    assert archive.conversation("c-1").customer_id is None


def _close(connection: Connection, now: int) -> None:
    conversations.close(connection, "c-1", without_record=conversations.NO_ACW, now=now, last_look_at=now)


LONG_AGO = has(
    stored.conversation_row("c-1", closed_at=NOW - DAY), stored.entry_row("r-1", "c-1", delivered_at=NOW - DAY)
)


class RefusingStorage:
    """A storage of either kind whose first jobs are refused."""

    def __init__(self, storage: Storage, refusals: int) -> None:
        self._storage = storage
        self.refusals = refusals

    def run(self, job: Callable[[Connection], Any]) -> Any:
        if self.refusals:
            self.refusals -= 1
            raise StorageUnavailable("the disk is full")
        return self._storage.run(job)


@pytest.fixture
def quick(storage: Storage, clock: FakeClock) -> Iterator[tuple[Retention, RefusingStorage]]:
    """A retention of milliseconds, on a storage that refuses twice."""
    refusing = RefusingStorage(storage, 2)
    shrunk = settings(retention_days=0.14 / 86_400, retry_base_seconds=0.001)
    crashes: list[str] = []
    retention = Retention(cast(Storage, refusing), shrunk, runtime(clock, crashes))
    yield retention, refusing
    assert retention.stop(1.0) == []
    assert crashes == []


def test_the_greenlet_watches_and_erases_by_itself_whatever_the_disk_does(
    quick: tuple[Retention, RefusingStorage], storage: Storage
) -> None:
    retention, refusing = quick
    storage.run(LONG_AGO)

    retention.start()

    until(lambda: storage.run(lambda c: stored.get_conversation(c, "c-1")).erased_at is not None)
    assert refusing.refusals == 0


def test_a_retention_that_is_told_to_stop_leaves_the_rest(
    quick: tuple[Retention, RefusingStorage], storage: Storage
) -> None:
    retention, _ = quick
    storage.run(LONG_AGO)

    retention.stop(1.0)
    retention.start()

    assert retention.stop(1.0) == []
    assert storage.run(lambda c: stored.get_entry(c, "r-1")).content is not None


def test_a_watch_holds_both_clocks(archive: Archive) -> None:
    assert archive.retention.watch() == Watch(at=archive.clock.now(), since=archive.clock.monotonic())
