"""The fence: open for two thirds of a lease after a renewal began."""

import pytest

from genesys_gateway.storage.fence import Fence
from tests.doubles.runtime import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def fence(clock: FakeClock) -> Fence:
    return Fence(clock, lease_seconds=30)


def test_it_is_closed_before_the_first_renewal(fence: Fence) -> None:
    assert not fence.open


def test_it_closes_two_thirds_of_a_lease_after_the_renewal_began(fence: Fence, clock: FakeClock) -> None:
    began_at = clock.monotonic()
    clock.advance(5)
    fence.renewed(began_at)
    clock.advance(14.9)
    assert fence.open
    clock.advance(0.2)
    assert not fence.open


def test_a_clock_that_is_set_back_does_not_keep_it_open(fence: Fence, clock: FakeClock) -> None:
    fence.renewed(clock.monotonic())
    clock.jump(-3600)
    clock.advance(20.1)
    assert not fence.open


def test_a_lost_lease_closes_it_at_once(fence: Fence, clock: FakeClock) -> None:
    fence.renewed(clock.monotonic())
    fence.close()
    assert not fence.open


def test_a_transaction_may_idle_for_less_than_what_is_left_of_the_lease_when_it_closes(fence: Fence) -> None:
    assert fence.idle_seconds == 7.5
