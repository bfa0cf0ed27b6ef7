"""The lease of an instance is entered, renewed, given up when it is lost, and ended."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import gevent
import pytest
from sqlalchemy import Connection, select, update
from structlog.testing import capture_logs

from genesys_gateway.maintenance.lease import Lease, LeaseListener, Terms
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.storage.fence import Fence
from genesys_gateway.storage.own_connection import ThroughStorage
from genesys_gateway.storage.statements import instances
from genesys_gateway.storage.tables import instance
from tests.doubles.runtime import FakeClock
from tests.doubles.stepped_tasks import SteppedTaskGroup
from tests.doubles.storage_in_memory import OWNER, StorageInMemory

T = TypeVar("T")

OTHER = "00000000-0000-4000-8000-000000000002"
LEASE_MS = 30_000
#: After the end of the lease, this is nine tenths of the heartbeat.
GIVE_UP = 36
CLIENT = "client"


class ConnectionThatMayHang(ThroughStorage):
    """A connection to a database that may stop answering."""

    hangs = False

    def run(self, job: Callable[[Connection], T]) -> T:
        if self.hangs:
            gevent.sleep(60)
        return super().run(job)


class LeaseOnStorageInMemory:
    """A lease of 30 seconds, and the rows that it writes."""

    def __init__(self, *, alone: bool = False) -> None:
        self.clock = FakeClock()
        self.storage = StorageInMemory(self.clock)
        self.identity = Identity(OWNER)
        self.fence = Fence(self.clock, LEASE_MS / 1000)
        self.connection = ConnectionThatMayHang(self.storage)
        #: what the lease told, in order: "lost" with the id at that moment, or "look"
        self.told: list[str] = []
        #: seconds for which a loss of coverage waits to be stored
        self.losses_wait = -1.0
        self.lease = Lease(
            self.connection,
            self.clock,
            Terms(
                seconds=LEASE_MS / 1000,
                heartbeat_seconds=40.0,
                client=CLIENT,
                endpoint="host :8080",
                process=None,
                alone=alone,
            ),
            identity=self.identity,
            fence=self.fence,
            listener=LeaseListener(
                lost=lambda: self.told.append(f"lost {self.identity.id}, fence open: {self.fence.open}"),
                loss_waits=lambda patience: self.losses_wait > patience,
                look=lambda: self.told.append("look"),
                told_time=lambda *_: None,
            ),
        )

    @property
    def lost(self) -> list[str]:
        return [one for one in self.told if one != "look"]

    def leases(self) -> dict[str, int]:
        """Milliseconds that remain of the lease of each instance that was not declared ended."""
        query = select(instance.c.id, instance.c.lease_until).where(instance.c.ended_at.is_(None))
        now = self.clock.now()
        return self.storage.uncounted(lambda c: {row.id: row.lease_until - now for row in c.execute(query)})

    def endings(self) -> dict[str, str]:
        """How each ended instance has ended."""
        query = select(instance.c.id, instance.c.ended_how).where(instance.c.ended_at.is_not(None))
        return self.storage.uncounted(lambda c: {row.id: row.ended_how for row in c.execute(query)})

    def renewed_at(self) -> int:
        query = select(instance.c.renewed_at).where(instance.c.id == OWNER)
        return self.storage.uncounted(lambda c: int(c.execute(query).scalar_one() or 0))

    def enter_other(self, client: str = CLIENT) -> None:
        self.storage.uncounted(lambda c: instances.enter(c, OTHER, LEASE_MS, client=client))

    def declare_ended(self) -> None:
        """What another instance does with this one when its lease is over."""
        self.storage.uncounted(
            lambda c: c.execute(update(instance).where(instance.c.id == OWNER).values(ended_at=1)).close()
        )


@pytest.fixture
def held() -> Iterator[LeaseOnStorageInMemory]:
    made = LeaseOnStorageInMemory()
    yield made
    made.storage.close()


@pytest.fixture
def tasks(held: LeaseOnStorageInMemory) -> Iterator[SteppedTaskGroup]:
    """The task group in which the lease is renewed."""
    made = SteppedTaskGroup(held.clock)
    with gevent.Timeout(60.0, AssertionError("it did not happen in time")):
        yield made
        made.end()


def test_entering_begins_a_lease_opens_the_fence_and_has_others_work_looked_for(held: LeaseOnStorageInMemory) -> None:
    assert not held.fence.open
    held.lease.enter()
    assert held.leases() == {OWNER: LEASE_MS}
    assert held.fence.open
    assert held.told == ["look"]


def test_with_the_lock_of_the_file_it_is_alone_and_ends_all_others() -> None:
    held = LeaseOnStorageInMemory(alone=True)
    held.enter_other()
    held.lease.enter()
    assert held.leases() == {OWNER: LEASE_MS}
    assert held.endings() == {OTHER: "proven"}
    assert held.lease.peers.running == 0
    held.storage.close()


def test_it_counts_the_other_instances_and_those_of_its_client(held: LeaseOnStorageInMemory) -> None:
    held.enter_other(client="another")
    held.lease.enter()
    assert (held.lease.peers.running, held.lease.peers.on_client) == (1, 0)
    held.storage.uncounted(lambda c: instances.drain(c, OTHER))
    held.lease.renew()
    assert (held.lease.peers.running, held.lease.peers.on_client) == (0, 0)


def test_when_the_disk_refuses_the_lease_is_not_entered_and_that_is_raised(held: LeaseOnStorageInMemory) -> None:
    held.storage.refuse(1)
    with pytest.raises(StorageUnavailable):
        held.lease.enter()
    assert held.leases() == {}
    assert not held.fence.open
    held.lease.enter()
    assert held.leases() == {OWNER: LEASE_MS}


def test_one_that_ended_before_it_knew_that_it_had_entered_takes_another_id(held: LeaseOnStorageInMemory) -> None:
    held.lease.enter()
    held.declare_ended()
    with pytest.raises(StorageUnavailable):
        held.lease.enter()
    held.lease.enter()
    assert held.leases() == {held.identity.id: LEASE_MS}
    assert held.identity.id != OWNER


def test_a_renewal_makes_the_lease_last_from_now_on(held: LeaseOnStorageInMemory) -> None:
    held.lease.enter()
    held.clock.advance(20)
    assert held.leases() == {OWNER: LEASE_MS - 20_000}
    assert not held.fence.open
    assert held.lease.renew()
    assert held.leases() == {OWNER: LEASE_MS}
    assert held.fence.open


def test_a_lease_that_is_over_and_was_not_declared_ended_is_renewed(held: LeaseOnStorageInMemory) -> None:
    """An outage of the database, in which nobody could renew, costs nobody its lease."""
    held.lease.enter()
    held.clock.advance(100)
    assert held.lease.renew()
    assert held.leases() == {OWNER: LEASE_MS}


def test_an_instance_that_is_not_in_the_database_can_not_renew(held: LeaseOnStorageInMemory) -> None:
    assert not held.lease.renew()
    assert held.leases() == {}


def test_it_renews_three_times_in_each_lease(held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup) -> None:
    held.lease.enter()
    tasks.spawn("lease", held.lease.run, tasks)
    for _ in range(7):
        tasks.step()
        assert held.leases() == {OWNER: LEASE_MS}
    assert set(tasks.waits) == {10.0}


def test_another_instance_is_declared_ended_when_it_was_seen_to_renew_nothing_for_a_whole_lease(
    held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup
) -> None:
    held.enter_other()
    held.clock.advance(LEASE_MS / 1000 + 1)
    held.lease.enter()
    tasks.spawn("lease", held.lease.run, tasks)
    tasks.step()
    tasks.step()
    assert held.endings() == {}, "it may have had no database to renew its lease in"
    tasks.step()
    assert held.endings() == {OTHER: "lapsed"}


def test_after_an_outage_every_instance_has_a_lease_to_come_back_in(
    held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup
) -> None:
    held.enter_other()
    held.lease.enter()
    tasks.spawn("lease", held.lease.run, tasks)
    tasks.step()
    held.storage.refuse(40)
    for _ in range(43):
        tasks.step()
    assert held.endings() == {}
    tasks.step()
    assert held.endings() == {OTHER: "lapsed"}


def test_a_loss_of_coverage_that_waits_for_long_leaves_the_coverage_in_doubt(held: LeaseOnStorageInMemory) -> None:
    held.lease.enter()
    entered_at = held.clock.now()
    held.clock.advance(10)
    held.losses_wait = 41
    assert held.lease.renew()
    assert held.renewed_at() == entered_at
    assert held.leases() == {OWNER: LEASE_MS}
    held.losses_wait = 39
    assert held.lease.renew()
    assert held.renewed_at() == held.clock.now()


def test_after_the_fence_was_closed_any_loss_of_coverage_is_stored_first(held: LeaseOnStorageInMemory) -> None:
    held.lease.enter()
    entered_at = held.clock.now()
    held.clock.advance(25)
    held.losses_wait = 1
    assert held.lease.renew()
    assert held.renewed_at() == entered_at


def test_a_lost_lease_closes_the_sockets_before_another_id_is_entered(
    held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup
) -> None:
    held.lease.enter()
    held.declare_ended()
    tasks.spawn("lease", held.lease.run, tasks)
    with capture_logs() as logs:
        tasks.step()
    assert [(line["event"], line["instance"]) for line in logs] == [
        ("lease_lost", OWNER),
        ("lease_entered_again", held.identity.id),
    ]
    assert held.lost == [f"lost {OWNER}, fence open: False"]
    assert held.identity.id != OWNER
    assert held.leases() == {held.identity.id: LEASE_MS}
    assert held.fence.open


def test_one_that_lost_its_lease_enters_as_soon_as_the_disk_takes_it(
    held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup
) -> None:
    held.lease.enter()
    held.declare_ended()
    held.storage.refuse(3, after=1)
    tasks.spawn("lease", held.lease.run, tasks)
    for _ in range(4):
        tasks.step()
    assert len(held.lost) == 1
    assert held.leases() == {held.identity.id: LEASE_MS}


def test_a_renewal_that_the_disk_refuses_is_repeated_soon(
    held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup
) -> None:
    held.lease.enter()
    held.storage.refuse(2)
    tasks.spawn("lease", held.lease.run, tasks)
    with capture_logs() as logs:
        for _ in range(3):
            tasks.step()
    assert [line["event"] for line in logs] == ["lease_not_renewed"] * 2, "its beginning and its end"
    assert tasks.waits == [10.0, 1.0, 1.0, 10.0]
    assert held.leases() == {OWNER: LEASE_MS}
    assert held.lost == []


def test_one_that_shares_its_client_gives_its_sockets_up_when_its_places_may_go_to_others(
    held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup
) -> None:
    held.enter_other()
    held.lease.enter()
    entered_at = held.clock.monotonic()
    held.storage.refuse(1000)
    tasks.spawn("lease", held.lease.run, tasks)
    while held.clock.monotonic() - entered_at <= LEASE_MS / 1000 + GIVE_UP:
        assert held.lost == []
        tasks.step()
    assert held.lost == [f"lost {OWNER}, fence open: False"]
    held.storage.refuse(0)
    tasks.step()
    assert held.endings()[OWNER] == "left", "its sockets are closed, so its places are free"
    assert held.leases()[held.identity.id] == LEASE_MS


def test_one_that_is_alone_on_its_client_reads_on(held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup) -> None:
    held.enter_other(client="another")
    held.lease.enter()
    held.storage.refuse(200)
    tasks.spawn("lease", held.lease.run, tasks)
    for _ in range(201):
        tasks.step()
    assert held.lost == []
    assert held.leases()[OWNER] == LEASE_MS


def test_it_stops_with_its_task_group(held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup) -> None:
    held.lease.enter()
    tasks.spawn("lease", held.lease.run, tasks)
    tasks.step()
    tasks.end()
    jobs = held.storage.jobs
    gevent.sleep(0)
    assert held.storage.jobs == jobs


def test_leaving_ends_the_lease(held: LeaseOnStorageInMemory) -> None:
    held.lease.enter()
    held.lease.leave(5.0)
    held.lease.close()
    assert held.leases() == {}
    assert held.endings() == {OWNER: "left"}


def test_a_disk_that_refuses_the_end_of_the_lease_is_survived_and_logged(held: LeaseOnStorageInMemory) -> None:
    held.lease.enter()
    held.storage.refuse(1)
    with capture_logs() as logs:
        held.lease.leave(5.0)
    assert [(line["event"], line["log_level"]) for line in logs] == [("lease_not_ended", "warning")]
    assert held.leases() == {OWNER: LEASE_MS}, "it ends by itself"


def test_the_end_of_a_lease_is_not_waited_for_longer_than_the_stop_may_take(held: LeaseOnStorageInMemory) -> None:
    held.lease.enter()
    held.connection.hangs = True
    with capture_logs() as logs, gevent.Timeout(10, AssertionError("it still waits")):
        held.lease.leave(0.01)
    assert [line["event"] for line in logs] == ["lease_not_ended"]


def test_a_lease_that_never_began_is_not_ended(held: LeaseOnStorageInMemory) -> None:
    held.lease.leave(5.0)
    assert held.storage.jobs == 0


def test_one_that_stops_before_it_has_entered_again_ends_the_lease_that_it_gave_up(
    held: LeaseOnStorageInMemory, tasks: SteppedTaskGroup
) -> None:
    held.enter_other()
    held.lease.enter()
    held.storage.refuse(1000)
    tasks.spawn("lease", held.lease.run, tasks)
    while not held.lost:
        tasks.step()
    held.storage.refuse(0)
    held.lease.leave(5.0)
    assert held.endings()[OWNER] == "left"
