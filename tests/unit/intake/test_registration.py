"""Whoever gets an answer without an error has a promise that is on disk, and the conversation is followed."""

from collections.abc import Iterator
from typing import Any

import pytest

from genesys_gateway.intake.registration import Registration
from genesys_gateway.runtime.errors import PairedAlready, StorageUnavailable
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import conversations
from genesys_gateway.storage.tables import conversation as conversation_table
from genesys_gateway.storage.tables import entry
from tests.doubles.channels import conversation, quick
from tests.doubles.runtime import FakeClock, runtime

CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"
ANOTHER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d5"
OWNER = "00000000-0000-4000-8000-000000000001"
A = conversation(1)


class House:
    """A registration over a storage in memory."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.storage = Storage("sqlite://", self.clock)
        self.storage.open()
        self.metrics = Metrics()
        self.followed: list[str] = []
        self.registration = Registration(
            self.storage,
            quick(reconcile_seconds=120.0, follow_deadline_seconds=1000.0),
            runtime(self.clock, [], metrics=self.metrics),
            owner=OWNER,
            follow=self.followed.append,
        )

    @property
    def accepted(self) -> float:
        return self.metrics.registry.get_sample_value("genesys_gateway_conversations_accepted_total") or 0.0

    def close(self) -> None:
        self.storage.run(
            lambda c: conversations.close(c, A, without_record=conversations.NO_ACW, now=0, last_look_at=0)
        )


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.storage.close()


def test_the_first_time_it_is_created_followed_and_counted(house: House) -> None:
    registered = house.registration.register(CUSTOMER, A)
    assert (registered.created, registered.view.state) == (True, "pending")
    assert house.followed == [A]
    assert house.accepted == 1
    row = house.storage.run(lambda c: c.execute(conversation_table.select()).one())
    assert (row.due_at, row.deadline_at) == (house.clock.now() + 120_000, house.clock.now() + 1_000_000)


def test_a_repetition_is_neither_created_nor_counted_nor_followed_twice(house: House) -> None:
    house.registration.register(CUSTOMER, A)
    registered = house.registration.register(CUSTOMER, A)
    assert registered.created is False
    assert (house.followed, house.accepted) == ([A], 1)


def test_a_closed_one_is_followed_again_and_not_counted_again(house: House) -> None:
    house.registration.register(CUSTOMER, A)
    house.close()
    registered = house.registration.register(CUSTOMER, A)
    assert (registered.created, registered.view.state) == (False, "pending")
    assert (house.followed, house.accepted) == ([A, A], 1)


def test_nothing_is_followed_or_counted_before_the_commit(house: House) -> None:
    run = house.storage.run

    def watching(job: Any) -> Any:
        value = run(job)
        assert (house.followed, house.accepted) == ([], 0)
        return value

    house.storage.run = watching  # type: ignore[method-assign] # the moment of the commit is what is tested
    house.registration.register(CUSTOMER, A)


def test_when_the_disk_refuses_nothing_is_promised_followed_or_counted(house: House) -> None:
    def refusing(job: Any) -> Any:
        raise StorageUnavailable("the disk is full")

    house.storage.run = refusing  # type: ignore[method-assign] # the disk's moods are what is tested
    with pytest.raises(StorageUnavailable):
        house.registration.register(CUSTOMER, A)
    with pytest.raises(StorageUnavailable):
        house.registration.view(A)
    assert (house.followed, house.accepted) == ([], 0)


def test_another_customer_after_the_first_attempt_is_turned_away(house: House) -> None:
    house.registration.register(CUSTOMER, A)
    row = {"id": "r", "conversation_id": A, "source": "live", "stored_at": 0, "state": "pending", "next_at": 0}
    house.storage.run(lambda c: c.execute(entry.insert().values(attempt=1, **row)) and None)
    with pytest.raises(PairedAlready):
        house.registration.register(ANOTHER, A)


def test_what_was_never_registered_has_no_view(house: House) -> None:
    assert house.registration.view(A) is None
    house.registration.register(CUSTOMER, A)
    view = house.registration.view(A)
    assert view is not None
    assert (view.interaction_id, view.customer_id) == (A, CUSTOMER)
