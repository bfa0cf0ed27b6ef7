"""How long an addition waits for others: about 50 ms when it is alone, at most 1 s, and 3 s during a burst."""

import itertools

import pytest

from genesys_gateway.channels.batching import BURST, Batcher
from tests.doubles.runtime import FakeClock


class BurstClock(FakeClock):
    """A clock that requests one addition after another while the caller sleeps, until the burst is over."""

    def __init__(self, burst_seconds: float, every_seconds: float) -> None:
        super().__init__()
        self.batcher = Batcher(300, self)
        self.requested = 1
        self._every = every_seconds
        self._times = [self.monotonic() + every_seconds * n for n in range(1, round(burst_seconds / every_seconds) + 1)]
        self.batcher.requested()

    def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        while self._times and self._times[0] <= until:
            self.advance(self._times.pop(0) - self.monotonic())
            self.batcher.requested()
            self.requested += 1
        self.advance(max(0.0, until - self.monotonic()))

    @property
    def is_over(self) -> bool:
        return not self._times


def calls(burst_seconds: float, every_seconds: float) -> list[float]:
    """The times of the calls, in seconds since the first addition was requested, until all are made."""
    clock = BurstClock(burst_seconds, every_seconds)
    begun, made, called = clock.monotonic(), list[float](), 0
    while not clock.is_over or called < clock.requested:
        clock.batcher.wait(lambda: False)
        count, called = clock.requested - called, clock.requested
        if count:
            clock.batcher.called(count)
            made.append(clock.monotonic() - begun)
        else:
            clock.sleep(every_seconds)
    return made


def test_a_lone_addition_hardly_waits() -> None:
    assert calls(0.0, 1.0) == pytest.approx([0.05])


def test_a_short_burst_is_one_call() -> None:
    assert calls(0.8, 0.01) == pytest.approx([0.85], abs=0.02)


def test_a_trickle_is_called_four_times_a_second_at_most() -> None:
    made = calls(2.0, 0.1)
    assert 5 <= len(made) <= 9
    assert min(later - earlier for earlier, later in itertools.pairwise(made)) >= 0.249


def test_during_a_burst_more_come_together_although_it_falters() -> None:
    assert calls(14.0, 0.01) == pytest.approx([1.0, 4.0, 7.0, 10.0, 13.0, 14.5], abs=0.02)
    clock = BurstClock(0.0, 1.0)
    clock.batcher.called(BURST)
    clock.advance(1.0)
    begun = clock.monotonic()
    for _ in range(5):
        clock.batcher.requested()
        clock.advance(0.4)
    clock.batcher.wait(lambda: False)
    assert clock.monotonic() - begun == pytest.approx(2.1)


def test_a_writer_that_was_asked_for_nothing_does_not_wait() -> None:
    clock = FakeClock()

    Batcher(300, clock).wait(lambda: False)

    assert clock.slept == []


def test_calls_keep_their_distance() -> None:
    clock = FakeClock()
    batcher = Batcher(150, clock)
    batcher.called(1)

    clock.advance(0.375)
    assert batcher.too_early
    clock.advance(0.125)
    assert not batcher.too_early


def test_an_addition_waits_to_the_moment_and_not_longer() -> None:
    clock = FakeClock()
    batcher = Batcher(15, clock)  # a pause of one second: exact in floating point
    batcher.requested()

    batcher.wait(lambda: len(clock.slept) > 3)

    assert clock.slept == [1.0]
