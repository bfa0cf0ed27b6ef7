"""Database and channels agree after a resync, whichever change was lost between them."""

from collections.abc import Iterator
from typing import cast

import gevent
import pytest

from genesys_gateway.channels.registry import ChannelRegistry
from genesys_gateway.maintenance.resync import Resync
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.identity import Identity
from tests.doubles.channels import conversation, eventually, ids, quick
from tests.doubles.runtime import FakeClock
from tests.doubles.storage_in_memory import OWNER, StorageInMemory

OTHER = "00000000-0000-4000-8000-000000000002"


class FakeRegistry:
    """Sets of followed and covered conversations, which tests may change."""

    def __init__(self) -> None:
        self.homes: set[str] = set()
        self.covering: set[str] = set()
        #: each conversation that ``follow`` was called with
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


class ResyncOnFakeRegistry:
    """A resync between a storage in memory and a registry of our own."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.storage = StorageInMemory(self.clock)
        self.registry = FakeRegistry()
        #: conversations and moment of each call of ``uncovered``
        self.uncovered: list[tuple[list[str], int]] = []
        resync = Resync(
            self.storage,
            quick(lease_seconds=0.003, audit_seconds=600.0),
            self.clock,
            cast(ChannelRegistry, self.registry),
            identity=Identity(OWNER),
            uncovered=lambda some, since: self.uncovered.append((some, since)),
        )
        self.follow_pending = resync.follow_pending
        self.compare_all = resync.compare_all
        self.run = resync.run


@pytest.fixture
def resync() -> Iterator[ResyncOnFakeRegistry]:
    made = ResyncOnFakeRegistry()
    yield made
    made.storage.close()


A, B = conversation(1), conversation(2)


def test_a_registration_whose_commit_nobody_knew_of_is_followed(resync: ResyncOnFakeRegistry) -> None:
    resync.storage.register(A)
    resync.follow_pending()
    assert resync.registry.homes == {A}


def test_whoever_is_covered_or_closed_or_somebody_elses_is_left_alone(resync: ResyncOnFakeRegistry) -> None:
    resync.storage.register(A, B)
    resync.storage.register(conversation(3), owner=OTHER)
    resync.storage.cover(A)
    resync.storage.close_conversations(B)
    resync.follow_pending()
    assert resync.registry.asked == []


def test_a_close_whose_commit_nobody_knew_of_takes_its_topic_off_the_channel(resync: ResyncOnFakeRegistry) -> None:
    resync.storage.register(A, B)
    resync.storage.cover(A, B)
    resync.registry.homes = resync.registry.covering = {A, B}
    resync.storage.close_conversations(A)
    resync.compare_all()
    assert resync.registry.homes == {B}
    assert resync.uncovered == []


def test_a_release_whose_commit_nobody_knew_of_takes_its_topic_off_the_channel(resync: ResyncOnFakeRegistry) -> None:
    resync.storage.register(A, B)
    resync.storage.cover(A, B)
    resync.registry.homes = resync.registry.covering = {A, B}
    resync.storage.release(A)
    resync.follow_pending()
    resync.compare_all()
    assert (resync.registry.homes, resync.registry.asked, resync.uncovered) == ({B}, [], [])


def test_whom_the_disk_believes_to_be_covered_and_nobody_covers_is_told_and_followed(
    resync: ResyncOnFakeRegistry,
) -> None:
    resync.storage.register(*ids(4))
    resync.storage.cover(*ids(4))
    resync.registry.homes = set(ids(3))
    resync.registry.covering = set(ids(2))
    resync.compare_all()
    ((lost, since),) = resync.uncovered
    assert sorted(lost) == ids(2, start=2)
    assert since == resync.clock.now() - 600_000
    assert resync.registry.homes == set(ids(4))


def test_where_all_agree_nothing_is_told(resync: ResyncOnFakeRegistry) -> None:
    resync.storage.register(A, B)
    resync.storage.cover(A)
    resync.registry.homes, resync.registry.covering = {A, B}, {A}
    resync.compare_all()
    assert (resync.uncovered, resync.registry.asked) == ([], [])


def test_who_is_registered_while_it_compares_is_not_taken_off(resync: ResyncOnFakeRegistry) -> None:
    """The registry is read first: each conversation in it was stored before."""
    resync.storage.after_commit = lambda: resync.registry.follow(B)
    resync.compare_all()
    assert resync.registry.homes == {B}


def test_it_goes_on_after_the_disk_refused(resync: ResyncOnFakeRegistry) -> None:
    resync.storage.register(A)
    resync.storage.refuse(3)
    crashes: list[str] = []
    tasks = TaskGroup("resync", lambda name, error: crashes.append(name))
    tasks.spawn("resync", resync.run, tasks)
    eventually(lambda: resync.registry.homes == {A}, resync.clock)
    resync.registry.homes.add(B)
    eventually(lambda: resync.registry.homes == {A}, resync.clock, step=10)
    assert tasks.stop(1) == []
    gevent.sleep(0)
    assert crashes == []
