"""What other instances have left or offer is taken, as far as there are places for it."""

from collections.abc import Iterator

import gevent
import pytest

from genesys_gateway.maintenance.ownership import Ownership, Places
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.storage.statements import instances
from genesys_gateway.storage.statements.instances import Peers
from tests.doubles.channels import conversation
from tests.doubles.runtime import FakeClock
from tests.doubles.storage_in_memory import OWNER, StorageInMemory

OTHER = "00000000-0000-4000-8000-000000000002"
THIRD = "00000000-0000-4000-8000-000000000003"
LEASE = 30.0
A, B, C = conversation(1), conversation(2), conversation(3)


class OwnershipOnStorageInMemory:
    """An instance beside another one, with as many places as a test says."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.storage = StorageInMemory(self.clock)
        self.followed: list[str] = []
        self.unfollowed: list[str] = []
        self.waiting: list[str] = []
        self.places = 1000
        self.peers = Peers(others=1, running=1, on_client=1)
        self.ownership = Ownership(
            self.storage,
            self.clock,
            Places(
                count=lambda: None,
                free=lambda: self.places,
                waiting=lambda: list(self.waiting),
                follow=self._follow,
                unfollow=self._unfollow,
            ),
            identity=Identity(OWNER),
            lease_seconds=LEASE,
            peers=lambda: self.peers,
        )
        self.storage.uncounted(lambda c: instances.enter(c, OWNER, 30_000, client="client"))
        self.storage.uncounted(lambda c: instances.enter(c, OTHER, 30_000, client="client"))
        self.look = self.ownership.look

    def _follow(self, one: str) -> None:
        self.followed.append(one)
        self.places -= 1

    def _unfollow(self, one: str) -> None:
        self.unfollowed.append(one)
        if one in self.waiting:
            self.waiting.remove(one)

    def owners(self, *ids: str) -> list[str]:
        return [self.storage.row(one)["owner"] for one in ids]

    def end(self, one: str = OTHER) -> None:
        """The other instance ends its lease."""
        self.storage.uncounted(lambda c: instances.leave(c, one))

    def drain(self) -> None:
        """The other instance begins to hand over."""
        self.storage.uncounted(lambda c: instances.drain(c, OTHER))


@pytest.fixture
def one() -> Iterator[OwnershipOnStorageInMemory]:
    made = OwnershipOnStorageInMemory()
    yield made
    made.storage.close()


def test_what_an_ended_instance_followed_is_adopted_and_followed_oldest_first(one: OwnershipOnStorageInMemory) -> None:
    one.storage.register(B, owner=OTHER)
    one.clock.advance(1)
    one.storage.register(A, owner=OTHER)
    one.look()
    assert one.followed == []
    one.end()
    one.look()
    assert one.followed == [B, A]
    assert one.owners(A, B) == [OWNER, OWNER]
    one.look()
    assert one.followed == [B, A], "once"


def test_released_conversations_are_adopted_and_not_followed(one: OwnershipOnStorageInMemory) -> None:
    one.storage.register(A, B, owner=OTHER)
    one.storage.release(A, owner=OTHER)
    one.end()
    one.look()
    assert one.followed == [B]
    assert one.owners(A) == [OWNER]


def test_it_adopts_only_as_many_as_it_has_places_for_while_others_may_have_more(
    one: OwnershipOnStorageInMemory,
) -> None:
    one.places = 2
    one.storage.register(A, B, C, owner=OTHER)
    one.end()
    one.look()
    assert len(one.followed) == 2
    one.clock.advance(LEASE / 3 + 1)
    one.look()
    assert sorted(one.followed) == [A, B, C], "nobody took it for a third of a lease"


def test_alone_it_adopts_everything_at_once(one: OwnershipOnStorageInMemory) -> None:
    one.peers = Peers(others=0, running=0, on_client=0)
    one.places = 0
    one.storage.register(A, B, owner=OTHER)
    one.end()
    assert one.ownership.adopt() == 2
    assert one.followed == [A, B]


def test_what_a_draining_instance_covers_is_followed_and_stays_its_own_until_it_is_covered(
    one: OwnershipOnStorageInMemory,
) -> None:
    one.storage.register(A, B, owner=OTHER)
    one.storage.cover(A, owner=OTHER)
    one.drain()
    one.look()
    assert sorted(one.followed) == [A, B]
    assert one.owners(A, B) == [OTHER, OWNER], "nobody covers the second one"
    one.storage.cover(A)
    assert one.owners(A) == [OWNER]
    assert [item.event for item in one.storage.view(A).timeline] == ["registered", "subscribed"]


def test_what_a_draining_instance_registers_later_is_taken_as_well(one: OwnershipOnStorageInMemory) -> None:
    one.drain()
    one.look()
    one.storage.register(A, owner=OTHER)
    one.look()
    assert one.owners(A) == [OWNER]


def test_what_the_last_other_instance_hands_over_is_taken_also_if_it_uses_another_client(
    one: OwnershipOnStorageInMemory,
) -> None:
    one.peers = Peers(others=1, running=0, on_client=0)
    one.storage.register(A, owner=OTHER)
    one.storage.cover(A, owner=OTHER)
    one.drain()
    one.look()
    assert one.followed == [A]


def test_one_that_drains_takes_nothing(one: OwnershipOnStorageInMemory) -> None:
    one.storage.register(A, owner=OTHER)
    one.end()
    one.ownership.drain()
    one.look()
    assert one.followed == []


def test_what_waits_in_vain_is_offered_at_the_second_look(one: OwnershipOnStorageInMemory) -> None:
    one.places = 0
    one.storage.register(A, B)
    one.waiting = [A]
    one.look()
    assert one.storage.row(A)["offered_at"] is None
    one.waiting = [A, B]
    one.look()
    assert [one.storage.row(each)["offered_at"] for each in (A, B)] == [one.clock.now(), None]


def test_nothing_is_offered_while_there_are_places_or_nobody_to_take_it(one: OwnershipOnStorageInMemory) -> None:
    one.storage.register(A)
    one.waiting = [A]
    for one.places, running in ((5, 1), (0, 0)):
        one.peers = Peers(others=running, running=running, on_client=0)
        one.look()
        one.look()
        assert one.storage.row(A)["offered_at"] is None


def test_what_others_offer_is_taken_as_far_as_there_are_places(one: OwnershipOnStorageInMemory) -> None:
    one.storage.register(A, B, owner=OTHER)
    one.storage.change_all(offered_at=1)
    one.places = 1
    one.look()
    assert len(one.followed) == 1
    assert sorted(one.owners(A, B)) == [OWNER, OTHER]
    (taken,) = one.followed
    assert one.storage.row(taken)["offered_at"] is None


def test_what_others_have_taken_stops_waiting_here(one: OwnershipOnStorageInMemory) -> None:
    one.places = 0
    one.storage.register(A, B)
    one.waiting = [A, B]
    one.look()
    one.look()
    one.storage.change_all(owner=OTHER, offered_at=None)
    one.look()
    assert one.waiting == []


def test_what_others_have_taken_is_let_go_even_if_it_got_a_place_here_meanwhile(
    one: OwnershipOnStorageInMemory,
) -> None:
    one.places = 0
    one.storage.register(A, B)
    one.waiting = [A, B]
    one.look()
    one.look()
    # Given A is taken by another instance while both get a place here
    one.storage.change(A, owner=OTHER, offered_at=None)
    one.waiting, one.places = [], 5
    one.look()
    assert one.unfollowed == [A]
    # When B is covered here, it is no offer any more
    one.storage.cover(B)
    one.look()
    one.storage.change_all(owner=OTHER)
    one.look()
    assert one.unfollowed == [A]


def test_it_looks_when_woken_and_ends_with_its_group(one: OwnershipOnStorageInMemory) -> None:
    crashes: list[str] = []
    tasks = TaskGroup("ownership", lambda name, error: crashes.append(f"{name}: {error!r}"))
    one.storage.register(A, owner=OTHER)
    tasks.spawn("run", one.ownership.run, tasks)
    gevent.sleep(0.01)
    one.end()
    one.ownership.wake()
    with gevent.Timeout(20):
        while one.followed != [A]:
            gevent.sleep(0.001)
    one.ownership.wake()
    assert tasks.stop(5.0) == []
    assert crashes == []
