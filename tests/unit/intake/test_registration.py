"""A registration that returns without an error is committed, and its conversation is followed."""

from collections.abc import Iterator

import gevent
import pytest

from genesys_gateway.intake.registration import Registration
from genesys_gateway.runtime.errors import PairedAlready, StorageUnavailable
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage.tables import entry
from tests.doubles.channels import conversation, quick
from tests.doubles.runtime import FakeClock, runtime
from tests.doubles.storage_in_memory import ANOTHER_CUSTOMER, CUSTOMER, OWNER, StorageInMemory

A = conversation(1)


class RegistrationOnStorageInMemory:
    """A registration whose storage can be made to refuse, with its calls of ``follow``."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.storage = StorageInMemory(self.clock)
        self.metrics = Metrics()
        self.followed: list[str] = []
        self.identity = Identity(OWNER)
        registration = Registration(
            self.storage,
            quick(reconcile_seconds=120.0, follow_deadline_seconds=1000.0),
            runtime(self.clock, [], metrics=self.metrics),
            identity=self.identity,
            follow=self.followed.append,
        )
        self.register = registration.register
        self.view = registration.view

    @property
    def accepted(self) -> float:
        return self.metrics.registry.get_sample_value("genesys_gateway_conversations_accepted_total") or 0.0


@pytest.fixture
def registration() -> Iterator[RegistrationOnStorageInMemory]:
    made = RegistrationOnStorageInMemory()
    yield made
    made.storage.close()


def test_the_first_time_it_is_created_followed_and_counted(registration: RegistrationOnStorageInMemory) -> None:
    registered = registration.register(CUSTOMER, A)
    assert (registered.created, registered.view.state) == (True, "pending")
    assert registration.followed == [A]
    assert registration.accepted == 1
    row = registration.storage.row(A)
    assert (row["due_at"], row["deadline_at"]) == (
        registration.clock.now() + 120_000,
        registration.clock.now() + 1_000_000,
    )


def test_a_repetition_is_neither_created_nor_counted_nor_followed_twice(
    registration: RegistrationOnStorageInMemory,
) -> None:
    registration.register(CUSTOMER, A)
    registered = registration.register(CUSTOMER, A)
    assert registered.created is False
    assert (registration.followed, registration.accepted) == ([A], 1)


def test_a_closed_one_is_followed_again_and_not_counted_again(registration: RegistrationOnStorageInMemory) -> None:
    registration.register(CUSTOMER, A)
    registration.storage.close_conversations(A)
    registered = registration.register(CUSTOMER, A)
    assert (registered.created, registered.view.state) == (False, "pending")
    assert (registration.followed, registration.accepted) == ([A, A], 1)


def test_a_released_one_is_followed_again_and_due_at_once(registration: RegistrationOnStorageInMemory) -> None:
    registration.register(CUSTOMER, A)
    registration.storage.cover(A)
    registration.storage.release(A)
    registered = registration.register(CUSTOMER, A)
    assert (registered.created, registered.view.state) == (False, "pending")
    assert (registration.followed, registration.accepted) == ([A, A], 1)
    assert registration.storage.row(A)["due_at"] == registration.clock.now()


def test_nothing_is_followed_or_counted_before_the_commit(registration: RegistrationOnStorageInMemory) -> None:
    def nothing_yet() -> None:
        assert (registration.followed, registration.accepted) == ([], 0)

    registration.storage.after_commit = nothing_yet
    registration.register(CUSTOMER, A)


def test_when_the_disk_refuses_nothing_is_promised_followed_or_counted(
    registration: RegistrationOnStorageInMemory,
) -> None:
    registration.storage.refuse(2)
    with pytest.raises(StorageUnavailable):
        registration.register(CUSTOMER, A)
    with pytest.raises(StorageUnavailable):
        registration.view(A)
    assert (registration.followed, registration.accepted) == ([], 0)


def test_another_customer_after_the_first_attempt_is_turned_away(registration: RegistrationOnStorageInMemory) -> None:
    registration.register(CUSTOMER, A)
    row = {"id": "r", "conversation_id": A, "source": "live", "stored_at": 0, "state": "pending", "next_at": 0}
    registration.storage.uncounted(lambda c: c.execute(entry.insert().values(attempt=1, **row)).close())
    with pytest.raises(PairedAlready):
        registration.register(ANOTHER_CUSTOMER, A)


def test_what_was_never_registered_has_no_view(registration: RegistrationOnStorageInMemory) -> None:
    assert registration.view(A) is None
    registration.register(CUSTOMER, A)
    view = registration.view(A)
    assert view is not None
    assert (view.interaction_id, view.customer_id) == (A, CUSTOMER)


def test_what_waits_while_the_lease_is_lost_is_owned_under_the_new_id(
    registration: RegistrationOnStorageInMemory,
) -> None:
    waiting = gevent.spawn(registration.register, CUSTOMER, A)
    gevent.sleep(0)  # it waits for the transaction, which has not begun
    registration.identity.renew()
    waiting.get()

    assert registration.storage.row(A)["owner"] == registration.identity.id
