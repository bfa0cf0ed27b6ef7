"""The lease of an instance is entered, renewed, entered again when it is lost, and ended."""

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event
from sqlalchemy import select
from structlog.testing import capture_logs

from genesys_gateway.maintenance.lease import Lease
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.storage.statements import instances
from genesys_gateway.storage.tables import instance
from tests.doubles.channels import conversation
from tests.doubles.runtime import FakeClock
from tests.doubles.storage_in_memory import OWNER, StorageInMemory

OTHER = "00000000-0000-4000-8000-000000000002"
LEASE_MS = 30_000
A, B = conversation(1), conversation(2)


class SteppedTaskGroup(TaskGroup):
    """A task group whose waits take no real time: each ends when the test takes a step."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__("lease", lambda name, error: self.crashes.append(f"{name}: {error!r}"))
        self.crashes: list[str] = []
        self._clock = clock
        self._step = Event()
        self._waiting = Event()
        #: seconds of each wait
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self._waiting.set()
        self._step.wait()
        self._step.clear()
        return self.stopping

    def step(self) -> None:
        """End one wait, for which the clock moves on, and run until the next one begins."""
        self._waiting.wait()
        self._waiting.clear()
        self._clock.advance(self.waits[-1])
        self._step.set()
        self._waiting.wait()

    def end(self) -> None:
        self._step.set()
        assert self.stop(5.0) == []
        assert self.crashes == []


class LeaseOnStorageInMemory:
    """A lease of 30 seconds, and the rows that it writes."""

    def __init__(self, *, alone: bool = False) -> None:
        self.clock = FakeClock()
        self.storage = StorageInMemory(self.clock)
        self.followed: list[str] = []
        self.lease = Lease(
            self.storage, self.clock, owner=OWNER, seconds=LEASE_MS / 1000, alone=alone, follow=self.followed.append
        )

    def leases(self) -> dict[str, int]:
        """Milliseconds that remain of each instance's lease."""
        query = select(instance.c.id, instance.c.lease_until)
        now = self.clock.now()
        return self.storage.uncounted(lambda c: {row.id: row.lease_until - now for row in c.execute(query)})

    def enter_other(self) -> None:
        self.storage.uncounted(lambda c: instances.enter(c, OTHER, LEASE_MS))

    def forget_instances(self) -> None:
        """What another instance does with one whose lease has ended and that owns nothing."""
        self.storage.uncounted(lambda c: c.execute(instance.delete()).close())


@pytest.fixture
def held() -> Iterator[LeaseOnStorageInMemory]:
    made = LeaseOnStorageInMemory()
    yield made
    made.storage.close()


@pytest.fixture
def tasks(held: LeaseOnStorageInMemory) -> Iterator[SteppedTaskGroup]:
    """The task group in which the lease is renewed."""
    made = SteppedTaskGroup(held.clock)
    with gevent.Timeout(15.0, AssertionError("it did not happen in time")):
        yield made
        made.end()


def test_entering_begins_a_lease_and_adopts_conversations_without_an_owner_oldest_first(
    held: LeaseOnStorageInMemory,
) -> None:
    held.storage.register(B, owner=OTHER)
    held.clock.advance(1)
    held.storage.register(A, owner=OTHER)
    assert held.lease.enter() == [B, A]
    assert held.leases() == {OWNER: LEASE_MS}
    assert {held.storage.row(one)["owner"] for one in (A, B)} == {OWNER}
    assert held.followed == [], "the caller follows what was adopted at the start"


def test_conversations_of_a_living_instance_are_not_adopted(held: LeaseOnStorageInMemory) -> None:
    held.enter_other()
    held.storage.register(A, owner=OTHER)
    assert held.lease.enter() == []
    held.clock.advance(LEASE_MS / 1000 + 1)
    assert held.lease.enter() == [A]


def test_with_the_lock_of_the_file_it_is_alone_and_adopts_everything() -> None:
    held = LeaseOnStorageInMemory(alone=True)
    held.enter_other()
    held.storage.register(A, owner=OTHER)
    assert held.lease.enter() == [A]
    assert held.leases()[OWNER] == LEASE_MS
    held.storage.close()


def test_when_the_disk_refuses_the_lease_is_not_entered_and_that_is_raised(held: LeaseOnStorageInMemory) -> None:
    held.storage.refuse(1)
    with pytest.raises(StorageUnavailable):
        held.lease.enter()
    assert held.leases() == {}
    held.lease.enter()
    assert held.leases() == {OWNER: LEASE_MS}


def test_a_renewal_makes_the_lease_last_from_now_on(held: LeaseOnStorageInMemory) -> None:
    held.lease.enter()
    held.clock.advance(20)
    assert held.leases() == {OWNER: LEASE_MS - 20_000}
    assert held.lease.renew()
    assert held.leases() == {OWNER: LEASE_MS}


def test_an_instance_that_is_not_in_the_database_can_not_renew(held: LeaseOnStorageInMemory) -> None:
    assert not held.lease.renew()
    assert held.leases() == {}


def test_when_the_disk_refuses_a_renewal_that_is_raised(held: LeaseOnStorageInMemory) -> None:
    held.lease.enter()
    held.storage.refuse(1)
    with pytest.raises(StorageUnavailable):
        held.lease.renew()


def test_it_renews_three_times_in_each_lease(held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup) -> None:
    held.lease.enter()
    tasks.spawn("lease", held.lease.run, tasks)
    for _ in range(7):
        tasks.step()
        assert held.leases() == {OWNER: LEASE_MS}
    assert set(tasks.waits) == {10.0}


def test_conversations_that_lose_their_owner_are_adopted_and_followed(
    held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup
) -> None:
    held.lease.enter()
    held.enter_other()
    held.storage.register(A, owner=OTHER)
    tasks.spawn("lease", held.lease.run, tasks)
    tasks.step()
    tasks.step()
    assert held.followed == []
    tasks.step()
    assert held.followed == [A]
    assert held.storage.row(A)["owner"] == OWNER
    tasks.step()
    assert held.followed == [A], "once"


def test_released_conversations_are_adopted_and_not_followed(
    held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup
) -> None:
    held.lease.enter()
    held.storage.register(A, B, owner=OTHER)
    held.storage.release(A)
    tasks.spawn("lease", held.lease.run, tasks)
    tasks.step()
    assert held.followed == [B]
    assert held.storage.row(A)["owner"] == OWNER


def test_a_lease_that_is_lost_is_logged_and_entered_again_before_anything_is_adopted(
    held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup
) -> None:
    held.lease.enter()
    held.forget_instances()
    held.storage.register(A, owner=OWNER)
    tasks.spawn("lease", held.lease.run, tasks)
    with capture_logs() as logs:
        tasks.step()
    assert [(line["event"], line["log_level"], line["instance"]) for line in logs] == [("lease_lost", "error", OWNER)]
    assert held.leases() == {OWNER: LEASE_MS}
    assert held.followed == [], "its own conversations need no adoption once it has entered again"


def test_a_renewal_that_the_disk_refuses_is_logged_and_the_next_one_is_made(
    held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup
) -> None:
    held.lease.enter()
    held.storage.refuse(2)
    tasks.spawn("lease", held.lease.run, tasks)
    with capture_logs() as logs:
        tasks.step()
        tasks.step()
    assert [line["event"] for line in logs] == ["lease_not_renewed"] * 2
    assert held.leases() == {OWNER: LEASE_MS - 20_000}
    tasks.step()
    assert held.leases() == {OWNER: LEASE_MS}


def test_it_stops_with_its_task_group(held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup) -> None:
    held.lease.enter()
    tasks.spawn("lease", held.lease.run, tasks)
    tasks.step()
    tasks.end()
    jobs = held.storage.jobs
    gevent.sleep(0)
    assert held.storage.jobs == jobs


def test_leaving_ends_the_lease_and_others_may_adopt_at_once(held: LeaseOnStorageInMemory) -> None:
    held.lease.enter()
    held.storage.register(A)
    held.lease.leave()
    assert held.leases() == {OWNER: 0}
    adopted = held.storage.uncounted(lambda c: instances.adopt(c, OTHER, lease_ms=LEASE_MS, now=held.clock.now()))
    assert adopted == [A]


def test_a_disk_that_refuses_the_end_of_the_lease_is_survived_and_logged(held: LeaseOnStorageInMemory) -> None:
    held.lease.enter()
    held.storage.refuse(1)
    with capture_logs() as logs:
        held.lease.leave()
    assert [(line["event"], line["log_level"]) for line in logs] == [("lease_not_ended", "warning")]
    assert held.leases() == {OWNER: LEASE_MS}, "it ends by itself"
