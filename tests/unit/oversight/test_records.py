"""What is shown of a record, what a reveal leaves behind, and what a requeue changes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from genesys_gateway.domain.outbox import INVALID
from genesys_gateway.oversight.paging import NotOfThisList
from genesys_gateway.oversight.records import HIDDEN, Records
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage.statements import dead_letters
from genesys_gateway.storage.statements.outbox import PENDING
from tests.doubles import stored_rows as stored
from tests.doubles.genesys import settings
from tests.doubles.log_lines import configured, logging_restored, written
from tests.doubles.runtime import FakeClock, runtime
from tests.doubles.storage_in_memory import StorageInMemory
from tests.doubles.stored_rows import CONVERSATION, CUSTOMER, EVENT, PERSONAL

RECORD = "97f2f1c4-8d1e-5c1b-9b53-5d1c2f0c7a11"


class World:
    """Records on a storage, and how often delivery was woken."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.storage = StorageInMemory(self.clock)
        self.woken = 0
        self.metrics = Metrics()
        self.records = Records(
            self.storage, settings(), runtime(self.clock, [], metrics=self.metrics), requeued=self._wake
        )
        self.storage.uncounted(
            lambda c: stored.put_conversations(c, stored.open_row(CONVERSATION, customer_id=CUSTOMER))
        )

    def _wake(self) -> None:
        self.woken += 1

    def put(self, *rows: dict[str, object]) -> None:
        self.storage.uncounted(lambda c: stored.put_entries(c, *rows))

    def state(self, record_id: str) -> str:
        return str(self.storage.uncounted(lambda c: stored.get_entry(c, record_id)).state)

    def timeline(self) -> list[tuple[str, str | None]]:
        return self.storage.uncounted(lambda c: stored.get_timeline(c, CONVERSATION))


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.storage.close()


def test_a_record_is_shown_as_it_would_be_sent_but_masked(world: World) -> None:
    world.put(stored.dead_row(RECORD, CONVERSATION))

    shown = world.records.masked(RECORD)

    assert shown is not None
    assert shown.record is not None
    body = shown.record["body"]
    assert (shown.record["customerHandle"], shown.record["title"]) == (HIDDEN, HIDDEN)
    assert (body["agentName"], body["wrapUpNotes"]) == (HIDDEN, HIDDEN)
    assert (shown.record["id"], shown.record["purpose"], shown.record["customerId"]) == (RECORD, "Loan", CUSTOMER)
    assert body["wrapUpCode"] == EVENT.wrapup_code
    assert not any(personal in str(shown.record) for personal in PERSONAL if personal != CUSTOMER)
    assert world.timeline() == []


def test_what_is_null_is_not_masked(world: World) -> None:
    event = replace(EVENT, ani=None, wrapup_notes=None)
    world.put(stored.pending_row(RECORD, CONVERSATION, content=event.to_json(), names=None))

    shown = world.records.masked(RECORD)

    assert shown is not None
    assert shown.record is not None
    assert shown.record["customerHandle"] is None
    assert (shown.record["body"]["agentName"], shown.record["body"]["wrapUpNotes"]) == (None, None)
    # Before the first attempt it is the customer whom the conversation is paired with now.
    assert shown.record["customerId"] == CUSTOMER


def test_a_reveal_shows_everything_and_is_noted_in_timeline_and_log(world: World) -> None:
    world.put(stored.dead_row(RECORD, CONVERSATION))

    with logging_restored():
        stream = configured()
        shown = world.records.reveal(RECORD, by="ops 1a2b3c4d")

    assert shown is not None
    assert shown.record is not None
    assert shown.record["customerHandle"] == PERSONAL[0]
    assert shown.record["body"]["agentName"] == PERSONAL[1]
    assert shown.record["body"]["wrapUpNotes"] == PERSONAL[2]
    assert shown.record["title"] == PERSONAL[3]
    assert world.timeline() == [("revealed", f"{RECORD} ops 1a2b3c4d")]
    (line,) = [one for one in written(stream) if one["event"] == "record_revealed"]
    assert (line["event"], line["record"], line["conversation"], line["operator"]) == (
        "record_revealed",
        RECORD,
        CONVERSATION,
        "ops 1a2b3c4d",
    )
    assert not any(personal in stream.getvalue() for personal in PERSONAL)
    assert "Maria" not in repr(shown)


def test_reveals_and_requeues_are_counted(world: World) -> None:
    world.put(*(stored.dead_row(f"dead-{n}", CONVERSATION) for n in range(3)))
    world.records.reveal("dead-0", by="x")
    world.records.requeue("dead-0", by="x")
    world.records.requeue_alike("HTTP 422", by="x")

    registry = world.metrics.registry
    assert registry.get_sample_value("genesys_gateway_records_revealed_total") == 1
    assert registry.get_sample_value("genesys_gateway_records_requeued_total") == 3


def test_nothing_is_revealed_if_the_line_may_not_be_on_disk(world: World) -> None:
    world.put(stored.dead_row(RECORD, CONVERSATION))
    world.storage.refuse(1)

    with pytest.raises(StorageUnavailable):
        world.records.reveal(RECORD, by="ops 1a2b3c4d")

    assert world.timeline() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"content": None, "names": None, "erased_at": 1},
        {"content": "not JSON"},
        {"content": "[]"},
        {"names": "["},
        {"names": "7"},
    ],
)
def test_a_record_that_is_erased_or_unreadable_is_null(world: World, changes: dict[str, object]) -> None:
    world.put(stored.dead_row(RECORD, CONVERSATION, **changes))

    for shown in (world.records.masked(RECORD), world.records.reveal(RECORD, by="x")):
        assert shown is not None
        assert shown.record is None
        assert shown.listed.id == RECORD


def test_a_record_that_is_not_there_is_none_and_leaves_no_line(world: World) -> None:
    assert world.records.masked(RECORD) is None
    assert world.records.reveal(RECORD, by="x") is None
    assert world.records.requeue(RECORD, by="x") is None
    assert world.timeline() == []


def test_a_dead_record_is_requeued_and_delivery_woken(world: World) -> None:
    world.put(stored.dead_row(RECORD, CONVERSATION))

    assert world.records.requeue(RECORD, by="x") is True
    assert (world.state(RECORD), world.woken) == (PENDING, 1)
    assert world.records.requeue(RECORD, by="x") is False
    assert world.woken == 1
    assert world.timeline() == [("requeued", f"{RECORD} by x")]


def test_each_deed_of_an_operator_is_one_line_of_the_log_that_says_who(world: World) -> None:
    world.put(*(stored.dead_row(f"dead-{n}", CONVERSATION) for n in range(3)))

    with logging_restored():
        stream = configured()
        world.records.reveal("dead-0", by="ops 1a2b3c4d")
        world.records.requeue("dead-0", by="ops 1a2b3c4d")
        world.records.requeue_alike("HTTP 422", by="ops 1a2b3c4d")

    told = [(one["event"], one.get("record"), one.get("operator") or one["reason"]) for one in written(stream)]
    assert told == [
        ("record_revealed", "dead-0", "ops 1a2b3c4d"),
        ("requeued", "dead-0", "by ops 1a2b3c4d"),
        ("requeued", "dead-1", "by ops 1a2b3c4d"),
        ("requeued", "dead-2", "by ops 1a2b3c4d"),
        ("records_requeued", None, "ops 1a2b3c4d"),
    ]


def test_an_erased_record_is_not_requeued(world: World) -> None:
    world.put(stored.dead_row(RECORD, CONVERSATION, content=None, erased_at=1))

    assert world.records.requeue(RECORD, by="x") is False
    assert world.records.requeue_alike("HTTP 422", by="x") == 0
    assert (world.state(RECORD), world.woken) == ("dead", 0)


def test_all_that_are_dead_alike_are_requeued_in_portions(world: World) -> None:
    alike = [f"alike-{n:04d}" for n in range(450)]
    world.put(*(stored.dead_row(one, CONVERSATION, stored_at=n // 7) for n, one in enumerate(alike)))
    world.put(
        stored.dead_row("other-1", CONVERSATION, reason="refused with HTTP 400", last_error="HTTP 400"),
        stored.dead_row("other-2", CONVERSATION, reason=INVALID, last_error="title"),
        stored.dead_row("other-3", CONVERSATION, reason="HTTP 422 of Maria", last_error="HTTP 422 of Maria"),
    )
    assert world.records.reasons() == {"HTTP 422": 450, "HTTP 400": 1, "invalid record": 1, "other": 1}

    assert world.records.requeue_alike("HTTP 422", by="x") == 450

    assert {world.state(one) for one in alike} == {PENDING}
    assert {world.state(f"other-{n}") for n in (1, 2, 3)} == {"dead"}
    assert world.woken >= 1
    assert world.records.reasons() == {"HTTP 400": 1, "invalid record": 1, "other": 1}
    for name in ("invalid record", "other"):
        assert world.records.requeue_alike(name, by="x") == 1
    assert world.records.requeue_alike("HTTP 422", by="x") == 0
    assert world.records.requeue_alike("HTTP 4%", by="x") == 0


def test_what_is_given_up_again_meanwhile_is_not_requeued_twice(world: World) -> None:
    rows = [stored.dead_row(f"dead-{n:04d}", CONVERSATION, stored_at=n) for n in range(250)]
    world.put(*rows)

    def give_up_again() -> None:
        world.storage.uncounted(
            lambda c: c.exec_driver_sql(
                "UPDATE entry SET state = 'dead', reason = 'refused with HTTP 422' WHERE state = 'pending'"
            ).close()
        )

    world.storage.after_commit = give_up_again

    assert world.records.requeue_alike("HTTP 422", by="x") == 250


def test_a_requeue_of_all_ends_in_time_and_says_how_many(world: World) -> None:
    world.put(*(stored.dead_row(f"dead-{n:04d}", CONVERSATION, stored_at=n) for n in range(450)))
    world.storage.after_commit = lambda: world.clock.advance(6)

    first = world.records.requeue_alike("HTTP 422", by="x")

    assert 0 < first < 450
    world.storage.after_commit = lambda: None
    assert first + world.records.requeue_alike("HTTP 422", by="x") == 450


def test_a_list_shows_one_state_or_all(world: World) -> None:
    world.put(
        stored.pending_row("pending", CONVERSATION, stored_at=3),
        stored.dead_row("dead", CONVERSATION, stored_at=2),
        stored.entry_row("delivered", CONVERSATION, stored_at=1),
    )
    page = world.records.page

    assert [one.id for one in page().items] == ["pending", "dead", "delivered"]
    for state in ("pending", "dead", "delivered"):
        assert [one.id for one in page(state=state).items] == [state]
    pending, dead, delivered = page().items
    assert (pending.last_error, pending.attempts) == ("HTTP 503", 1)
    assert pending.next_at is not None
    assert (dead.last_error, dead.next_at) == ("HTTP 422", None)
    assert (delivered.last_error, delivered.next_at) == (None, None)


def test_a_cursor_of_one_state_is_refused_by_another(world: World) -> None:
    world.put(*(stored.dead_row(f"dead-{n}", CONVERSATION) for n in range(2)))
    cursor = world.records.page(state="dead", limit=1).next
    assert cursor is not None

    assert [one.id for one in world.records.page(state="dead", limit=1, cursor=cursor).items] == ["dead-1"]
    with pytest.raises(NotOfThisList):
        world.records.page(limit=1, cursor=cursor)
    assert world.storage.uncounted(dead_letters.reasons) == {"refused with HTTP 422": 2}
