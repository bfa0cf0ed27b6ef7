"""The disk and the channels agree in the end, whatever was lost between them."""

from collections.abc import Iterator
from typing import Any, cast

import gevent
import pytest

from genesys_gateway.channels.registry import ChannelRegistry
from genesys_gateway.maintenance.resync import Resync
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import conversations
from tests.doubles.channels import conversation, eventually, ids, quick
from tests.doubles.runtime import FakeClock

CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"
OWNER = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"


class FakeRegistry:
    """Who is followed and who is covered, as tests say."""

    def __init__(self) -> None:
        self.homes: set[str] = set()
        self.covering: set[str] = set()
        self.asked: list[str] = []

    def follow(self, one: str) -> None:
        self.asked.append(one)
        self.homes.add(one)

    def unfollow(self, one: str) -> None:
        self.homes.discard(one)
        self.covering.discard(one)

    def followed(self) -> set[str]:
        return set(self.homes)

    def covered(self) -> set[str]:
        return set(self.covering)


class House:
    """An agreement over a storage in memory."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.storage = Storage("sqlite://", self.clock)
        self.storage.open()
        self.registry = FakeRegistry()
        self.uncovered: list[tuple[list[str], int]] = []
        self.resync = Resync(
            self.storage,
            quick(lease_seconds=0.003, audit_seconds=600.0),
            self.clock,
            cast(ChannelRegistry, self.registry),
            owner=OWNER,
            uncovered=lambda some, since: self.uncovered.append((some, since)),
        )

    def register(self, *some: str, owner: str = OWNER) -> None:
        now = self.clock.now()

        def job(connection: Any) -> None:
            for one in some:
                conversations.register(
                    connection, one, CUSTOMER, owner=owner, now=now, due_at=now, deadline_at=now + 1000
                )

        self.storage.run(job)

    def cover(self, *some: str) -> None:
        now = self.clock.now()
        self.storage.run(lambda c: conversations.cover(c, some, channel_id="c", owner=OWNER, now=now))

    def close(self, one: str) -> None:
        self.storage.run(
            lambda c: conversations.close(c, one, without_record=conversations.NO_ACW, now=0, last_look_at=0)
        )


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.storage.close()


A, B = conversation(1), conversation(2)


def test_a_registration_whose_commit_nobody_knew_of_is_followed(house: House) -> None:
    house.register(A)
    house.resync.follow_pending()
    assert house.registry.homes == {A}


def test_whoever_is_covered_or_closed_or_somebody_elses_is_left_alone(house: House) -> None:
    house.register(A, B)
    house.register(conversation(3), owner=OTHER)
    house.cover(A)
    house.close(B)
    house.resync.follow_pending()
    assert house.registry.asked == []


def test_a_close_whose_commit_nobody_knew_of_takes_its_topic_off_the_channel(house: House) -> None:
    house.register(A, B)
    house.cover(A, B)
    house.registry.homes = house.registry.covering = {A, B}
    house.close(A)
    house.resync.compare_all()
    assert house.registry.homes == {B}
    assert house.uncovered == []


def test_whom_the_disk_believes_to_be_covered_and_nobody_covers_is_told_and_followed(house: House) -> None:
    house.register(*ids(4))
    house.cover(*ids(4))
    house.registry.homes = set(ids(3))
    house.registry.covering = set(ids(2))
    house.resync.compare_all()
    ((lost, since),) = house.uncovered
    assert sorted(lost) == ids(2, start=2)
    assert since == house.clock.now() - 600_000
    assert house.registry.homes == set(ids(4))


def test_where_all_agree_nothing_is_told(house: House) -> None:
    house.register(A, B)
    house.cover(A)
    house.registry.homes, house.registry.covering = {A, B}, {A}
    house.resync.compare_all()
    assert (house.uncovered, house.registry.asked) == ([], [])


def test_who_is_registered_while_it_compares_is_not_taken_off(house: House) -> None:
    """The registry's view is taken first: who is in it was on disk before."""
    run = house.storage.run

    def meanwhile(job: Any) -> Any:
        value = run(job)
        house.registry.follow(B)
        return value

    house.storage.run = meanwhile  # type: ignore[method-assign] # what happens meanwhile is what is tested
    house.resync.compare_all()
    assert house.registry.homes == {B}


def test_it_goes_on_after_the_disk_refused(house: House) -> None:
    house.register(A)
    run, refusals = house.storage.run, [3]

    def refusing(job: Any) -> Any:
        if refusals[0]:
            refusals[0] -= 1
            raise StorageUnavailable("x")
        return run(job)

    house.storage.run = refusing  # type: ignore[method-assign] # the disk's moods are what is tested
    crashes: list[str] = []
    tasks = TaskGroup("house", lambda name, error: crashes.append(name))
    tasks.spawn("agreement", house.resync.run, tasks)
    eventually(lambda: house.registry.homes == {A}, house.clock)
    house.registry.homes.add(B)
    eventually(lambda: house.registry.homes == {A}, house.clock, step=10)
    assert tasks.stop(1) == []
    gevent.sleep(0)
    assert crashes == []
