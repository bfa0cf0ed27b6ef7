"""A clock that tests move, the runtime around it, and waiting for a condition."""

from collections.abc import Callable
from random import Random

import gevent

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.runtime.shared import Runtime


class FakeClock:
    """A clock that stands still until a test moves it; ``sleep`` moves it at once instead of waiting."""

    def __init__(self, now: int = 1_763_805_600_000) -> None:
        self._now = now
        self._monotonic = 1000.0
        self.slept: list[float] = []

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        gevent.sleep(0)

    def advance(self, seconds: float) -> None:
        self._now += round(seconds * 1000)
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Move the wall clock only, as an administrator or NTP does."""
        self._now += round(seconds * 1000)


def runtime(clock: Clock, crashes: list[str], *, metrics: Metrics | None = None, seed: int = 1) -> Runtime:
    """A runtime for parts of the service; a description of each crash is appended to ``crashes``."""
    return Runtime(
        clock=clock,
        random=Random(seed),
        metrics=metrics or Metrics(),
        on_crash=lambda name, error: crashes.append(f"{name}: {error!r}"),
    )


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Let greenlets run until the condition holds; fails after ``seconds`` of real time."""
    with gevent.Timeout(seconds, AssertionError("it did not happen in time")):
        while not condition():
            gevent.sleep(0.002)
