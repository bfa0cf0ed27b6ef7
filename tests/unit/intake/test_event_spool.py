"""What sockets bring is stored in order; while the disk refuses, a bounded number of arrivals waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import gevent
import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from genesys_gateway.domain.after_call_work import Acw, AcwEvent, Unreadable
from genesys_gateway.genesys import ChannelGrant
from genesys_gateway.genesys.tokens import Token
from genesys_gateway.intake.event_spool import EventSpool
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage.tables import channel, quarantine
from tests.doubles.channels import conversation, eventually, ids, quick
from tests.doubles.runtime import FakeClock, runtime
from tests.doubles.storage_in_memory import OWNER, StorageInMemory

A, B = conversation(1), conversation(2)
#: Seconds until the registered conversations are due by themselves.
FAR = 1_000_000.0
#: A text that no database can store.
UNSTORABLE = "\ud83d"


def acw(one: str = A, session: str = "s", **changes: Any) -> Acw:
    return Acw(event=AcwEvent(conversation_id=one, participant_id="p", session_id=session, **changes))


class SpoolOnStorageInMemory:
    """An event spool whose storage can be made to refuse."""

    def __init__(self, **limits: int) -> None:
        self.clock = FakeClock()
        self.storage = StorageInMemory(self.clock)
        #: numbers of calls of the callbacks
        self.stored = 0
        self.due = 0
        #: seconds from the first cover to the first question
        self.first_question = 0.0
        self.identity = Identity(OWNER)
        #: conversations that are not ours
        self.unfollowed: list[str] = []
        self.crashes: list[str] = []
        self.metrics = Metrics()
        self.events = EventSpool(
            self.storage,
            quick(quiet_seconds=60.0),
            runtime(self.clock, self.crashes, metrics=self.metrics),
            identity=self.identity,
            stored=self._count_stored,
            due=self._count_due,
            first_question=lambda _: self.first_question,
            unfollow=self.unfollowed.append,
            **limits,
        )

    def _count_stored(self) -> None:
        self.stored += 1

    def _count_due(self) -> None:
        self.due += 1

    def set_aside(self) -> list[tuple[str, str | None, str]]:
        query = select(quarantine.c.reason, quarantine.c.topic, quarantine.c.frame).order_by(quarantine.c.seq)
        return self.storage.uncounted(lambda c: [tuple(row) for row in c.execute(query)])

    def channels(self) -> list[tuple[str, str, int, int | None]]:
        """Id, owner, when it ends, and when it was closed."""
        query = select(channel.c.id, channel.c.owner, channel.c.expires_at, channel.c.closed_at)
        return self.storage.uncounted(lambda c: [tuple(row) for row in c.execute(query)])

    def grant(self) -> ChannelGrant:
        ends = self.clock.now() + 86_400_000
        token = Token(value="t", issued_at=self.clock.now(), expires_at=ends)
        return ChannelGrant(id="streaming-1", connect_uri="wss://x/1", expires_at=ends, token=token)

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"genesys_gateway_{name}", labels) or 0.0

    def until(self, condition: Callable[[], object]) -> None:
        eventually(condition, self.clock)

    def end(self) -> None:
        assert self.events.stop(1.0) == []
        self.storage.close()
        assert self.crashes == []


@contextmanager
def running(**limits: int) -> Iterator[SpoolOnStorageInMemory]:
    """A spool with two registered conversations, started; stopped at the end."""
    made = SpoolOnStorageInMemory(**limits)
    made.storage.register(A, B, due_in=FAR)
    made.events.start()
    yield made
    made.end()


@pytest.fixture
def spool() -> Iterator[SpoolOnStorageInMemory]:
    with running() as made:
        yield made


def test_an_event_is_stored_and_only_then_told(spool: SpoolOnStorageInMemory) -> None:
    spool.events.notified(acw(), b"frame")
    assert spool.stored == 0
    spool.until(lambda: spool.stored == 1)
    assert [record.source for record in spool.storage.view(A).records] == ["live"]
    assert spool.value("events_received_total", source="live") == 1
    assert spool.storage.row(A)["due_at"] == spool.storage.view(A).timeline[-1].at + 60_000


def test_things_are_written_in_the_order_they_came(spool: SpoolOnStorageInMemory) -> None:
    spool.storage.refuse(1)
    spool.events.covered([A], "c-1")
    spool.events.notified(acw(), b"frame")
    spool.events.uncovered([A], 5)
    spool.events.rejected(A, "no right")
    spool.events.covered([A], "c-2")
    spool.until(lambda: spool.storage.row(A)["channel_id"] == "c-2")
    assert [item.event for item in spool.storage.view(A).timeline] == [
        "registered",
        "subscribed",
        "event_stored",
        "uncovered",
        "rejected",
        "subscribed",
    ]


def test_a_conversation_that_another_instance_owns_is_unfollowed(spool: SpoolOnStorageInMemory) -> None:
    spool.storage.change_all(owner="another")
    spool.events.covered([A], "c-1")
    spool.until(lambda: spool.unfollowed == [A])
    assert spool.storage.row(A)["state"] == "pending"


def test_after_a_lost_lease_no_cover_of_before_is_stored_but_losses_and_frames_are(
    spool: SpoolOnStorageInMemory,
) -> None:
    spool.storage.cover(A)
    spool.storage.refuse(1)
    spool.events.uncovered([A], 5)
    spool.events.covered([A], "c-2")
    spool.events.notified(acw(), b"frame")
    spool.identity.renew()
    spool.until(lambda: spool.stored == 1)
    row = spool.storage.row(A)
    assert (row["state"], row["uncovered_since"], row["channel_id"]) == ("pending", 5, None)


def test_it_tells_how_long_a_loss_of_coverage_waits(spool: SpoolOnStorageInMemory) -> None:
    spool.storage.cover(A)
    assert not spool.events.loss_waits(0)
    spool.storage.refuse(1)
    spool.events.uncovered([A], 5)
    spool.clock.advance(10)
    assert (spool.events.loss_waits(9), spool.events.loss_waits(11)) == (True, False)
    spool.until(lambda: spool.storage.row(A)["state"] == "pending")
    spool.until(lambda: not spool.events.loss_waits(0))


@pytest.mark.parametrize("seconds", [0, 300])
def test_a_conversation_that_is_covered_soon_is_due_for_its_first_question_as_told(
    spool: SpoolOnStorageInMemory, seconds: int
) -> None:
    spool.first_question = seconds
    spool.events.covered([A], "c-1")
    spool.until(lambda: spool.storage.row(A)["state"] == "subscribed")
    row = spool.storage.row(A)
    assert row["due_at"] - row["covered_at"] == seconds * 1000


def test_the_same_event_twice_is_stored_once_and_counted(spool: SpoolOnStorageInMemory) -> None:
    for _ in range(2):
        spool.events.notified(acw(), b"frame")
    spool.events.notified(acw(wrapup_code="other"), b"frame")
    spool.until(lambda: spool.value("events_amended_total") == 1)
    assert spool.value("events_duplicate_total") == 1
    assert [record.amended for record in spool.storage.view(A).records] == [True]


def test_an_event_for_a_conversation_nobody_registered_is_set_aside_and_counted(spool: SpoolOnStorageInMemory) -> None:
    spool.events.notified(acw(conversation(9)), b"the frame")
    spool.until(lambda: spool.value("events_rejected_total", reason="never_registered") == 1)
    assert spool.set_aside() == [("never_registered", None, "the frame")]
    assert spool.stored == 0


def test_a_frame_that_can_not_be_read_is_set_aside_and_its_conversation_asked_about(
    spool: SpoolOnStorageInMemory,
) -> None:
    spool.events.notified(Unreadable(reason="bad_identity", topic="t", conversation_id=A), b"\xff\x00")
    spool.until(lambda: spool.value("events_rejected_total", reason="bad_identity") == 1)
    assert spool.set_aside() == [("bad_identity", "t", "\ufffd\ufffd")]
    assert spool.storage.row(A)["due_at"] <= spool.clock.now()
    assert spool.due == 1


def test_dropped_fields_are_counted(spool: SpoolOnStorageInMemory) -> None:
    spool.events.notified(Acw(event=acw().event, dropped=("ani", "subject")), b"frame")
    spool.until(lambda: spool.value("events_rejected_total", reason="field") == 2)


def test_freshness_is_measured_from_the_events_own_time(spool: SpoolOnStorageInMemory) -> None:
    spool.events.notified(acw(event_time=spool.clock.now() - 3000), b"frame")
    spool.events.notified(acw(session="t", event_time=spool.clock.now() + 10**6), b"frame")
    spool.until(lambda: spool.value("event_freshness_seconds_count") == 2)
    assert 3 <= (spool.value("event_freshness_seconds_sum") or 0) < 4


def test_freshness_counts_the_time_in_which_the_disk_refused(spool: SpoolOnStorageInMemory) -> None:
    spool.storage.refuse(1)
    spool.events.notified(acw(event_time=spool.clock.now()), b"frame")
    spool.until(lambda: spool.storage.jobs == 1)
    spool.clock.advance(40)
    spool.until(lambda: spool.value("event_freshness_seconds_count") == 1)
    assert spool.value("event_freshness_seconds_sum") >= 40


def test_a_burst_is_stored_in_few_transactions(spool: SpoolOnStorageInMemory) -> None:
    for number in range(1000):
        spool.events.notified(acw(session=f"s{number}"), b"frame")
    spool.until(lambda: len(spool.storage.view(A).records) == 1000)
    assert spool.storage.jobs == 4


# --- the disk refuses ---


def test_while_the_disk_refuses_everything_waits_and_nothing_is_lost(spool: SpoolOnStorageInMemory) -> None:
    spool.storage.refuse(5)
    with capture_logs() as logs:
        for number in range(300):
            spool.events.notified(acw(session=f"s{number}"), b"frame")
        spool.events.covered([A], "c-1")
        spool.until(lambda: spool.storage.row(A)["state"] == "subscribed")
    refusals = [line.get("repeated") for line in logs if line["event"] == "storage_refuses"]
    assert refusals == [None, 3], "not once for each refusal"
    assert len(spool.storage.view(A).records) == 300
    assert spool.stored == 6  # after the refusals 8, then twice as many each time


def test_a_commit_of_unknown_outcome_is_repeated_without_harm(spool: SpoolOnStorageInMemory) -> None:
    lost = iter([True, True])

    def lose_reply() -> None:
        if next(lost, False):
            raise StorageUnavailable("the reply to the commit was lost")

    spool.storage.after_commit = lose_reply
    spool.events.notified(acw(), b"frame")
    spool.events.covered([A], "c-1")
    spool.until(lambda: spool.due == 1)
    assert [item.event for item in spool.storage.view(A).timeline] == ["registered", "event_stored", "subscribed"]
    assert len(spool.storage.view(A).records) == 1


def test_frames_beyond_the_bound_make_everybody_due() -> None:
    with running(most_frames=10) as spool:
        spool.storage.refuse(3)
        for number in range(15):
            spool.events.notified(acw(session=f"s{number}"), b"frame")
        assert spool.value("events_rejected_total", reason="spool_full") == 5
        spool.until(lambda: spool.storage.row(B)["due_at"] <= spool.clock.now())
        spool.until(lambda: len(spool.storage.view(A).records) == 10)
        assert spool.storage.row(B)["in_doubt"]
        # and then there is space again
        spool.events.notified(acw(session="next"), b"frame")
        spool.until(lambda: len(spool.storage.view(A).records) == 11)


def test_frames_that_overflow_while_it_commits_make_everybody_due_once_more() -> None:
    with running(most_frames=1) as spool:
        far = spool.clock.now() + 10**9
        overflows: list[str] = []

        def overflow_once() -> None:
            if not overflows:
                spool.events.notified(acw(session="late"), b"what is being committed still fills the spool")
                spool.storage.change_all(due_at=far)
                overflows.append("late")

        spool.storage.after_commit = overflow_once
        for number in range(2):
            spool.events.notified(acw(session=f"s{number}"), b"frame")
        spool.until(lambda: overflows)
        spool.until(lambda: spool.storage.row(B)["due_at"] < far)


def test_changes_of_coverage_are_bounded_too() -> None:
    with running(most_changes=100) as spool:
        spool.storage.refuse(2)
        for _ in range(50):
            spool.events.covered(ids(10), "c-1")
            spool.events.uncovered(ids(10), 1)
        assert len(spool.events._queue) == 10
        spool.events.notified(acw(), b"an event still fits")
        spool.until(lambda: spool.storage.view(A).records)
        spool.until(lambda: spool.storage.row(B)["due_at"] <= spool.clock.now())


def test_many_changes_are_written_in_transactions_of_bounded_size(spool: SpoolOnStorageInMemory) -> None:
    for number in range(20):
        spool.events.covered(ids(1000), f"c-{number}")
    spool.until(lambda: spool.storage.row(A)["channel_id"] == "c-19")
    assert spool.storage.jobs == 10


# --- channels ---


def test_a_channel_is_stored_with_its_owner_and_marked_when_it_is_closed(spool: SpoolOnStorageInMemory) -> None:
    grant = spool.grant()

    spool.events.channel_created(grant)
    spool.until(lambda: spool.channels() == [(grant.id, OWNER, grant.expires_at, None)])

    closed_at = spool.clock.now()
    spool.events.channel_closed(grant.id)
    spool.until(lambda: spool.channels() == [(grant.id, OWNER, grant.expires_at, closed_at)])


def test_a_channel_made_while_the_disk_refuses_is_stored_as_soon_as_it_does_not(spool: SpoolOnStorageInMemory) -> None:
    grant, made_at = spool.grant(), spool.clock.now()
    spool.storage.refuse(5)

    spool.events.channel_created(grant)
    spool.events.covered([A], grant.id)

    spool.until(lambda: spool.storage.row(A)["channel_id"] == grant.id)
    assert spool.channels() == [(grant.id, OWNER, grant.expires_at, None)]
    assert spool.storage.uncounted(lambda c: c.execute(select(channel.c.created_at)).scalar_one()) == made_at


def test_a_channel_that_the_disk_refused_right_before_the_stop_is_stored(spool: SpoolOnStorageInMemory) -> None:
    spool.storage.refuse(1)
    spool.events.channel_created(spool.grant())
    with gevent.Timeout(60):
        while spool.storage.refusals_left or spool.storage.under_way:
            gevent.sleep(0)  # so that the stop comes before the next try

    assert spool.events.stop(1.0) == []

    assert [one[0] for one in spool.channels()] == ["streaming-1"]


def test_a_channel_that_can_not_be_stored_makes_nothing_due(spool: SpoolOnStorageInMemory) -> None:
    spool.events.channel_created(replace(spool.grant(), id=UNSTORABLE))

    spool.until(lambda: spool.value("events_rejected_total", reason="not_storable") == 1)
    assert spool.storage.row(A)["due_at"] > spool.clock.now()


# --- what can't be stored ---


class Poison(AcwEvent):
    """An event that can't be turned into JSON, so it can't be stored."""

    __slots__ = ()

    def to_json(self) -> str:
        raise ValueError("no JSON for this")


def test_one_event_that_can_not_be_stored_takes_no_other_along(spool: SpoolOnStorageInMemory) -> None:
    spool.events.notified(acw(), b"frame")
    spool.events.notified(Acw(event=Poison(conversation_id=B, participant_id="p", session_id="s")), b"frame")
    spool.events.notified(acw(session="t"), b"frame")
    spool.until(lambda: len(spool.storage.view(A).records) == 2)
    spool.until(lambda: spool.storage.row(B)["due_at"] <= spool.clock.now())
    assert spool.value("events_rejected_total", reason="not_storable") == 1
    assert spool.storage.row(A)["due_at"] > spool.clock.now()


def test_an_overflow_is_not_forgotten_over_an_event_that_can_not_be_stored() -> None:
    with running(most_frames=1) as spool:
        poison = Poison(conversation_id=A, participant_id="p", session_id="s")
        spool.events.notified(Acw(event=poison), b"frame")
        spool.events.notified(acw(session="does-not-fit"), b"frame")
        spool.until(lambda: spool.storage.row(B)["due_at"] <= spool.clock.now())


# --- the end ---


def test_what_has_come_is_stored_before_it_stops() -> None:
    spool = SpoolOnStorageInMemory()
    spool.storage.register(A, due_in=FAR)
    spool.events.start()
    gevent.sleep(0)
    for number in range(600):
        spool.events.notified(acw(session=f"s{number}"), b"frame")
    assert spool.events.stop(5.0) == []
    assert len(spool.storage.view(A).records) == 600
    spool.end()


def test_a_disk_that_refuses_does_not_hold_up_the_stop() -> None:
    spool = SpoolOnStorageInMemory()
    spool.storage.register(A, due_in=FAR)
    spool.storage.refuse(10**6)
    spool.events.start()
    spool.events.notified(acw(), b"frame")
    with gevent.Timeout(10):
        spool.events.stop(0.5)
    spool.end()
