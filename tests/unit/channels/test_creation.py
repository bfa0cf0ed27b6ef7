"""A channel is created only in a place that is granted before the call and still held when the call is made."""

from collections.abc import Callable

import pytest

from genesys_gateway.channels.creation import ChannelCreation
from genesys_gateway.genesys import ChannelGrant
from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup
from tests.doubles.channels import FakeGenesys, context, quick
from tests.doubles.runtime import FakeClock


class Budget:
    """A budget that grants what a test says, and remembers what it was asked."""

    attainable = 1
    certain = True
    others_may_wait = False

    def __init__(self) -> None:
        self.grants = True
        self.asked: list[tuple[int, bool]] = []
        self.wanted = -1
        self.resets = 0
        self.while_asked: Callable[[], object] = lambda: None

    def take(self, used: Callable[[], int], *, handover: bool) -> bool:
        self.asked.append((used(), handover))
        self.while_asked()
        return self.grants

    def settle(self, used: Callable[[], int], wanted: Callable[[], int]) -> None:
        self.wanted = wanted()

    def run(self, tasks: TaskGroup, used: Callable[[], int], wanted: Callable[[], int]) -> None:
        self.settle(used, wanted)

    def freed(self) -> None:
        pass

    def reset(self) -> None:
        self.resets += 1


class Creation:
    """The part under test, on the fake Genesys."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = FakeGenesys(self.clock)
        self.budget = Budget()
        self.created: list[ChannelGrant] = []
        self.part = ChannelCreation(
            context(self.server, self.clock, quick(), []),
            self.budget,
            connected=lambda: 2,
            wanted=lambda: 5,
            created=self.created.append,
        )

    def wanted_soon(self) -> int:
        self.part.run(TaskGroup("test", lambda *_: None))
        return self.budget.wanted


@pytest.fixture
def creation() -> Creation:
    return Creation()


def test_a_channel_counts_from_the_moment_at_which_its_place_is_asked_for(creation: Creation) -> None:
    assert creation.part.make("demand") is not None
    assert creation.part.make("handover") is not None
    assert creation.budget.asked == [(3, False), (3, True)]
    assert creation.part.used() == 2
    assert len(creation.created) == 2


def test_without_a_place_genesys_is_not_called_and_nothing_has_failed(creation: Creation) -> None:
    creation.budget.grants = False
    assert creation.part.make("demand") is None
    assert creation.server.calls == []
    creation.budget.grants = True
    assert creation.part.make("demand") is not None


def test_no_call_is_made_when_the_place_is_no_longer_certain(creation: Creation) -> None:
    creation.budget.certain = False
    assert creation.part.make("demand") is None
    assert creation.server.channels == {}


def test_no_call_is_made_for_a_place_of_an_id_that_was_lost_meanwhile(creation: Creation) -> None:
    creation.budget.while_asked = creation.part.reset
    assert creation.part.make("demand") is None
    assert (creation.server.channels, creation.created, creation.budget.resets) == ({}, [], 1)


def test_a_channel_that_was_made_while_the_lease_was_lost_is_not_used(creation: Creation) -> None:
    grant = creation.server.grant

    def lose_the_lease(channel: object) -> ChannelGrant:
        creation.part.reset()
        return grant(channel)  # type: ignore[arg-type]

    creation.server.grant = lose_the_lease  # type: ignore[method-assign]
    assert creation.part.make("demand") is None
    assert creation.created == []


def test_places_are_kept_for_what_waits_until_channels_have_failed_again_and_again(creation: Creation) -> None:
    for _ in range(3):
        creation.server.fail("create", TransientFailure("503"))
        creation.part.make("demand")
        creation.clock.advance(1)
    assert creation.wanted_soon() == 5
    creation.server.fail("create", TransientFailure("503"))
    creation.part.make("demand")
    assert creation.wanted_soon() == 0
    creation.clock.advance(1)
    creation.part.forgive()
    assert creation.wanted_soon() == 5
