"""How long a call waits for others: hardly at all, a second, or three while a burst goes on."""

import pytest

from genesys_gateway.gathering import Gathering
from tests.doubles import FakeClock


class BusyClock(FakeClock):
    """While somebody sleeps, one more is asked for every ten milliseconds until the burst is over."""

    def __init__(self, burst_seconds: float) -> None:
        super().__init__()
        self.gathering = Gathering(300, self)
        self.ends_at = self.monotonic() + burst_seconds

    def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        while self.monotonic() < until:
            self.advance(min(0.01, until - self.monotonic()))
            if self.monotonic() < self.ends_at:
                self.gathering.asked()


def calls(burst_seconds: float) -> list[float]:
    """When calls were made, in seconds since the first was asked for, until the burst was over and all was called."""
    clock = BusyClock(burst_seconds)
    begun, made = clock.monotonic(), list[float]()
    clock.gathering.asked()
    while not made or begun + made[-1] < clock.ends_at:
        clock.gathering.wait(lambda: False)
        clock.gathering.called()
        made.append(clock.monotonic() - begun)
    return made


def test_a_lone_one_hardly_waits() -> None:
    assert calls(0.0) == pytest.approx([0.05])


def test_a_short_burst_is_one_call() -> None:
    assert calls(0.8) == pytest.approx([0.85], abs=0.02)


def test_a_burst_that_goes_on_is_called_more_and_more_rarely_but_every_three_seconds() -> None:
    assert calls(14.0) == pytest.approx([1.0, 3.0, 6.0, 9.0, 12.0, 14.05], abs=0.02)


def test_after_a_pause_a_burst_begins_anew() -> None:
    clock = BusyClock(7.0)
    for _ in range(4):
        clock.gathering.asked()
        clock.gathering.wait(lambda: False)
    clock.advance(10.0)
    clock.ends_at = clock.monotonic() + 9.0
    begun = clock.monotonic()
    clock.gathering.asked()
    clock.gathering.wait(lambda: False)
    assert clock.monotonic() - begun == pytest.approx(1.0)
