"""A task group whose waits take no real time: each ends when the test takes a step."""

from gevent.event import Event

from genesys_gateway.runtime.greenlets import TaskGroup
from tests.doubles.runtime import FakeClock


class SteppedTaskGroup(TaskGroup):
    """For loops that do nothing but wait for this group between their turns."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__("stepped", lambda name, error: self.crashes.append(f"{name}: {error!r}"))
        self.crashes: list[str] = []
        self._clock = clock
        self._step = Event()
        self._waiting = Event()
        #: seconds of each wait
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self._waiting.set()
        self._step.wait()
        self._step.clear()
        return self.stopping

    def step(self) -> None:
        """End one wait, for which the clock moves on, and run until the next one begins."""
        self._waiting.wait()
        self._waiting.clear()
        self._clock.advance(self.waits[-1])
        self._step.set()
        self._waiting.wait()

    def end(self) -> None:
        """Stop the group; fails when a greenlet crashed or was late."""
        self._step.set()
        assert self.stop(5.0) == []
        assert self.crashes == []
