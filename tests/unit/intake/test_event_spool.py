"""What sockets bring is put on disk in order; while the disk refuses it waits, bounded."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from sqlalchemy import Connection, select

from genesys_gateway.domain.after_call_work import Acw, AcwEvent, Unreadable
from genesys_gateway.intake import event_spool
from genesys_gateway.intake.event_spool import EventSpool
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import conversations
from genesys_gateway.storage.statements.conversations import ConversationView
from genesys_gateway.storage.tables import conversation as conversation_table
from genesys_gateway.storage.tables import quarantine
from tests.doubles.channels import conversation, eventually, ids, quick
from tests.doubles.runtime import FakeClock, runtime

CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"
OWNER = "00000000-0000-4000-8000-000000000001"
A, B = conversation(1), conversation(2)


def acw(one: str = A, session: str = "s", **changes: Any) -> Acw:
    return Acw(event=AcwEvent(conversation_id=one, participant_id="p", session_id=session, **changes))


class House:
    """A following over a storage in memory that can be told to refuse."""

    def __init__(self, **changes: Any) -> None:
        self.clock = FakeClock()
        self.storage = Storage("sqlite://", self.clock)
        self.storage.open()
        self._run = self.storage.run
        self.storage.run = self._moody  # type: ignore[method-assign] # the disk's moods are what is tested
        #: how many jobs it refuses from now on
        self.refusals = 0
        self.jobs = 0
        self.stored = 0
        self.due = 0
        self.crashes: list[str] = []
        self.metrics = Metrics()
        self.event_spool = EventSpool(
            self.storage,
            quick(quiet_seconds=60.0, **changes),
            runtime(self.clock, self.crashes, metrics=self.metrics),
            owner=OWNER,
            stored=self._stored,
            due=self._due,
        )

    def _moody(self, job: Any) -> Any:
        self.jobs += 1
        if self.refusals:
            self.refusals -= 1
            gevent.sleep(0)
            raise StorageUnavailable("the disk is full")
        return self._run(job)

    def _stored(self) -> None:
        self.stored += 1

    def _due(self) -> None:
        self.due += 1

    def register(self, *some: str) -> None:
        far = self.clock.now() + 10**9

        def job(connection: Connection) -> None:
            for one in some:
                conversations.register(
                    connection, one, CUSTOMER, owner=OWNER, now=self.clock.now(), due_at=far, deadline_at=far
                )

        self._run(job)

    def view(self, one: str = A) -> ConversationView:
        view = self._run(lambda c: conversations.view(c, one))
        assert view is not None
        return view

    def row(self, one: str = A) -> dict[str, Any]:
        query = conversation_table.select().where(conversation_table.c.id == one)
        return self._run(lambda c: c.execute(query).one()._asdict())

    def set_aside(self) -> list[tuple[str, str | None, str]]:
        query = select(quarantine.c.reason, quarantine.c.topic, quarantine.c.frame).order_by(quarantine.c.seq)
        return self._run(lambda c: [tuple(row) for row in c.execute(query)])

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"genesys_gateway_{name}", labels) or 0.0

    def until(self, condition: Any) -> None:
        eventually(condition, self.clock)

    def end(self) -> None:
        assert self.event_spool.stop(1.0) == []
        self.storage.close()
        assert self.crashes == []


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    made.register(A, B)
    made.event_spool.start()
    yield made
    made.end()


def test_an_event_is_stored_and_only_then_told(house: House) -> None:
    house.event_spool.notified(acw(), b"frame")
    assert house.stored == 0
    house.until(lambda: house.stored == 1)
    assert [record.source for record in house.view().records] == ["live"]
    assert house.value("events_received_total", source="live") == 1
    assert house.row()["due_at"] == house.clock.now() + 60_000 - (house.clock.now() - house.view().timeline[-1].at)


def test_things_are_written_in_the_order_they_came(house: House) -> None:
    house.refusals = 1
    house.event_spool.covered([A], "c-1")
    house.event_spool.notified(acw(), b"frame")
    house.event_spool.uncovered([A], 5)
    house.event_spool.rejected(A, "no right")
    house.event_spool.covered([A], "c-2")
    house.until(lambda: house.row()["channel_id"] == "c-2")
    assert [item.event for item in house.view().timeline] == [
        "registered",
        "subscribed",
        "event_stored",
        "uncovered",
        "rejected",
        "subscribed",
    ]


def test_the_same_event_twice_is_stored_once_and_counted(house: House) -> None:
    for _ in range(2):
        house.event_spool.notified(acw(), b"frame")
    house.event_spool.notified(acw(wrapup_code="other"), b"frame")
    house.until(lambda: house.value("events_amended_total") == 1)
    assert house.value("events_duplicate_total") == 1
    assert [record.amended for record in house.view().records] == [True]


def test_an_event_for_a_conversation_nobody_registered_is_set_aside_and_counted(house: House) -> None:
    house.event_spool.notified(acw(conversation(9)), b"the frame")
    house.until(lambda: house.value("events_rejected_total", reason="never_registered") == 1)
    assert house.set_aside() == [("never_registered", None, "the frame")]
    assert house.stored == 0


def test_a_frame_that_can_not_be_read_is_set_aside_and_its_conversation_asked_about(house: House) -> None:
    house.event_spool.notified(Unreadable(reason="bad_identity", topic="t", conversation_id=A), b"\xff\x00")
    house.until(lambda: house.value("events_rejected_total", reason="bad_identity") == 1)
    assert house.set_aside() == [("bad_identity", "t", "\ufffd\ufffd")]
    assert house.row()["due_at"] <= house.clock.now()
    assert house.due == 1


def test_dropped_fields_are_counted(house: House) -> None:
    house.event_spool.notified(Acw(event=acw().event, dropped=("ani", "subject")), b"frame")
    house.until(lambda: house.value("events_rejected_total", reason="field") == 2)


def test_freshness_is_measured_from_the_events_own_time(house: House) -> None:
    house.event_spool.notified(acw(event_time=house.clock.now() - 3000), b"frame")
    house.event_spool.notified(acw(session="t", event_time=house.clock.now() + 10**6), b"frame")
    house.until(lambda: house.value("event_freshness_seconds_count") == 2)
    assert house.value("event_freshness_seconds_sum") == 3


def test_a_burst_is_stored_in_few_transactions(house: House) -> None:
    for number in range(1000):
        house.event_spool.notified(acw(session=f"s{number}"), b"frame")
    house.until(lambda: len(house.view().records) == 1000)
    assert house.jobs == 4


# --- the disk refuses ---


def test_while_the_disk_refuses_everything_waits_and_nothing_is_lost(house: House) -> None:
    house.refusals = 5
    for number in range(300):
        house.event_spool.notified(acw(session=f"s{number}"), b"frame")
    house.event_spool.covered([A], "c-1")
    house.until(lambda: house.row()["state"] == "subscribed")
    assert len(house.view().records) == 300
    assert house.stored == 2


def test_a_commit_of_unknown_outcome_is_repeated_without_harm(house: House) -> None:
    run = house._run
    lost = [2]

    def forgetful(job: Any) -> Any:
        value = run(job)
        if lost[0]:
            lost[0] -= 1
            raise StorageUnavailable("the reply to the commit was lost")
        return value

    house._run = forgetful
    house.event_spool.notified(acw(), b"frame")
    house.event_spool.covered([A], "c-1")
    house.until(lambda: house.due == 1)
    house._run = run
    assert [item.event for item in house.view().timeline] == ["registered", "event_stored", "subscribed"]
    assert len(house.view().records) == 1


def test_frames_beyond_the_bound_make_everybody_due(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_spool, "SPOOL_FRAMES", 10)
    house.refusals = 3
    for number in range(15):
        house.event_spool.notified(acw(session=f"s{number}"), b"frame")
    assert house.value("events_rejected_total", reason="spool_full") == 5
    house.until(lambda: house.row(B)["due_at"] <= house.clock.now())
    house.until(lambda: len(house.view().records) == 10)
    assert house.row(B)["in_doubt"]
    # and then there is room again
    house.event_spool.notified(acw(session="next"), b"frame")
    house.until(lambda: len(house.view().records) == 11)


def test_frames_that_overflow_while_it_commits_make_everybody_due_once_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_spool, "SPOOL_FRAMES", 1)
    run, far = house._run, house.clock.now() + 10**9
    put_off = conversation_table.update().values(due_at=far)

    def slow(job: Any) -> Any:
        value = run(job)
        house._run = run
        house.event_spool.notified(acw(session="late"), b"what is being committed still fills the spool")
        run(lambda c: c.execute(put_off) and None)
        return value

    house._run = slow
    for number in range(2):
        house.event_spool.notified(acw(session=f"s{number}"), b"frame")
    house.until(lambda: house._run is run)
    house.until(lambda: house.row(B)["due_at"] < far)


def test_changes_of_coverage_are_bounded_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_spool, "SPOOL_CHANGES", 100)
    house.refusals = 2
    for _ in range(50):
        house.event_spool.covered(ids(10), "c-1")
        house.event_spool.uncovered(ids(10), 1)
    assert len(house.event_spool._spool) == 10
    house.event_spool.notified(acw(), b"an event still fits")
    house.until(lambda: house.view().records)
    house.until(lambda: house.row(B)["due_at"] <= house.clock.now())


def test_many_changes_are_written_in_transactions_of_bounded_size(house: House) -> None:
    house.refusals = 1
    for number in range(20):
        house.event_spool.covered(ids(1000), f"c-{number}")
    house.until(lambda: house.row()["channel_id"] == "c-19")
    assert house.jobs == 1 + 10


# --- what can't be stored ---


class Poison(AcwEvent):
    """An event that breaks where it is stored."""

    __slots__ = ()

    def to_json(self) -> str:
        raise ValueError("no JSON for this")


def test_one_event_that_can_not_be_stored_takes_no_other_along(house: House) -> None:
    house.event_spool.notified(acw(), b"frame")
    house.event_spool.notified(Acw(event=Poison(conversation_id=B, participant_id="p", session_id="s")), b"frame")
    house.event_spool.notified(acw(session="t"), b"frame")
    house.until(lambda: len(house.view().records) == 2)
    house.until(lambda: house.row(B)["due_at"] <= house.clock.now())
    assert house.value("events_rejected_total", reason="not_storable") == 1
    assert house.row(A)["due_at"] > house.clock.now()


def test_an_overflow_is_not_forgotten_over_an_event_that_can_not_be_stored(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_spool, "SPOOL_FRAMES", 1)
    house.event_spool.notified(Acw(event=Poison(conversation_id=A, participant_id="p", session_id="s")), b"frame")
    house.event_spool.notified(acw(session="does-not-fit"), b"frame")
    house.until(lambda: house.row(B)["due_at"] <= house.clock.now())


# --- the end ---


def test_what_has_come_is_stored_before_it_stops() -> None:
    house = House()
    house.register(A)
    house.event_spool.start()
    gevent.sleep(0)
    for number in range(600):
        house.event_spool.notified(acw(session=f"s{number}"), b"frame")
    assert house.event_spool.stop(5.0) == []
    assert len(house.view().records) == 600
    house.end()


def test_a_disk_that_refuses_does_not_hold_up_the_stop() -> None:
    house = House()
    house.register(A)
    house.refusals = 10**6
    house.event_spool.start()
    house.event_spool.notified(acw(), b"frame")
    with gevent.Timeout(1):
        house.event_spool.stop(0.5)
    house.end()
