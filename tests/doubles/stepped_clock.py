"""The simulator's clock, advanced by hand."""

from __future__ import annotations

from genesys_gateway.simulator.clock import Clock


class SteppedClock(Clock):
    """A clock that stands still, and goes from timer to timer when a test lets time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def virtual(self) -> float:
        return self.time

    def wall(self) -> int:
        return round(self.time * 1000)

    def let_pass(self, seconds: float) -> None:
        until = self.time + seconds
        while self._timers and self._timers[0].due <= until:
            self.time = max(self.time, self._timers[0].due)
            self._run_due()
        self.time = until

    def jump(self, seconds: float) -> None:
        """Let all that time pass at once, as `advance` does."""
        self.time += seconds
        self._run_due()
