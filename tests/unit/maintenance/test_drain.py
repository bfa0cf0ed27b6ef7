"""Before an instance stops, others take its conversations over, or the time for that ends."""

from collections.abc import Iterator

import gevent
import pytest
from structlog.testing import capture_logs

from genesys_gateway.maintenance.drain import Drain, Handing
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.storage.statements import instances, ownership
from tests.doubles.channels import conversation
from tests.doubles.runtime import FakeClock
from tests.doubles.stepped_tasks import SteppedTaskGroup
from tests.doubles.storage_in_memory import OWNER, StorageInMemory

OTHER = "00000000-0000-4000-8000-000000000002"
A, B = conversation(1), conversation(2)


class DrainOnStorageInMemory:
    """A drain of ten seconds, and what it does to the other parts."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.tasks = SteppedTaskGroup(self.clock)
        self.storage = StorageInMemory(self.clock)
        self.identity = Identity(OWNER)
        self.done: list[str] = []
        self.takers = 1
        self.remaining: list[set[str]] = []
        self.drain = Drain(
            self.storage,
            self.clock,
            Handing(
                takers=lambda: self.takers,
                begin=lambda: self.done.append("begin"),
                close_emptied=self.remaining.append,
            ),
            identity=self.identity,
            lease_seconds=20.0,
            heartbeat_seconds=4.0,
        )
        self.enter(OWNER)
        self.storage.register(A, B)
        self.storage.cover(A, B)

    def enter(self, one: str) -> None:
        self.storage.uncounted(lambda c: instances.enter(c, one, 20_000, client="client"))

    def take(self, *ids: str) -> None:
        """The other instance takes over, and covers these."""
        self.storage.uncounted(lambda c: ownership.take_over(c, OTHER, limit=10))
        self.storage.cover(*ids, owner=OTHER)

    def end(self) -> None:
        """End the wait that is under way, after which the drain must be over."""
        self.tasks._step.set()
        assert self.drain.wait(5)


@pytest.fixture
def one() -> Iterator[DrainOnStorageInMemory]:
    made = DrainOnStorageInMemory()
    with gevent.Timeout(60.0, AssertionError("it did not happen in time")):
        yield made
        made.tasks.end()
    made.storage.close()


def test_without_another_instance_nothing_is_handed_over_and_nothing_waits(one: DrainOnStorageInMemory) -> None:
    one.drain.begin(one.tasks)
    assert one.drain.wait(5)
    assert (one.done, one.remaining, one.tasks.waits) == ([], [], [])


def test_it_ends_when_another_instance_covers_everything(one: DrainOnStorageInMemory) -> None:
    one.enter(OTHER)
    one.drain.begin(one.tasks)
    one.tasks.step()
    assert one.done == ["begin"]
    assert not one.drain.wait(0)
    one.take(A)
    one.tasks.step()
    assert one.remaining[-1] == {B}
    assert not one.drain.wait(0)
    one.storage.cover(B, owner=OTHER)
    one.end()
    assert one.remaining[-1] == set()
    assert {one.storage.row(each)["state"] for each in (A, B)} == {"subscribed"}


def test_what_nobody_takes_within_ten_seconds_is_uncovered_since_the_drain_began(one: DrainOnStorageInMemory) -> None:
    one.enter(OTHER)
    began_at = one.clock.now()
    one.drain.begin(one.tasks)
    for _ in range(49):
        one.tasks.step()
    assert not one.drain.wait(0)
    one.clock.advance(1)
    one.end()
    rows = [one.storage.row(each) for each in (A, B)]
    assert [(row["state"], row["uncovered_since"]) for row in rows] == [("pending", began_at)] * 2
    assert sum(one.tasks.waits) == pytest.approx(10.0)


def test_with_a_successor_on_its_way_it_waits_for_it(one: DrainOnStorageInMemory) -> None:
    one.drain.begin(one.tasks, successor=True)
    one.tasks.step()
    assert (one.done, one.drain.wait(0)) == ([], False)
    one.enter(OTHER)
    one.tasks.step()
    assert one.done == ["begin"]
    one.take(A, B)
    one.end()


def test_an_outage_of_the_database_does_not_prolong_it_and_is_logged_once(one: DrainOnStorageInMemory) -> None:
    one.enter(OTHER)
    one.storage.refuse(1000)
    with capture_logs() as logs:
        one.drain.begin(one.tasks)
        for _ in range(49):
            one.tasks.step()
        one.clock.advance(1)
        one.end()
    assert one.done == []
    assert [line["event"] for line in logs] == ["drain_delayed", "drained"]


def test_one_that_lost_its_lease_meanwhile_drains_under_its_new_id_as_well(one: DrainOnStorageInMemory) -> None:
    one.enter(OTHER)
    one.drain.begin(one.tasks)
    one.tasks.step()
    one.identity.renew()
    one.enter(one.identity.id)
    one.end()
    assert one.storage.uncounted(lambda c: instances.peers(c, OTHER, None)).running == 0


def test_if_nobody_was_there_before_an_outage_nothing_waits_for_its_end(one: DrainOnStorageInMemory) -> None:
    one.takers = 0
    one.storage.refuse(1000)
    one.drain.begin(one.tasks)
    assert one.drain.wait(5)
    assert one.tasks.waits == []


def test_a_drain_that_was_not_begun_is_not_waited_for(one: DrainOnStorageInMemory) -> None:
    assert one.drain.wait(5)


def test_a_repetition_changes_nothing(one: DrainOnStorageInMemory) -> None:
    one.drain.begin(one.tasks)
    one.drain.begin(one.tasks)
    assert one.drain.wait(5)
    jobs = one.storage.jobs
    one.drain.begin(one.tasks)
    assert one.drain.wait(5)
    assert one.storage.jobs == jobs
