"""The simulator's virtual time, which can be sped up or advanced.

Invariant: past moments are kept in wall time, due moments in virtual time. Clients use wall time, so every future
moment or duration sent to a client is converted.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import gevent
from gevent.event import Event

log = logging.getLogger(__name__)


@dataclass(slots=True, order=True)
class Timer:
    """An action due at a virtual moment. Timers with the same moment run in the order of their creation."""

    due: float
    number: int
    action: Callable[[], None] = field(compare=False)


class Clock:
    """Virtual seconds since the simulator began, and the wall clock its clients read."""

    def __init__(self) -> None:
        self._speed = 1.0
        self._virtual = 0.0
        self._anchor = time.monotonic()
        self._timers: list[Timer] = []
        self._numbers = itertools.count()
        self._changed = Event()
        self._runner: gevent.Greenlet[[], None] | None = None

    @property
    def speed(self) -> float:
        return self._speed

    def virtual(self) -> float:
        """Virtual seconds since the start."""
        return self._virtual + (time.monotonic() - self._anchor) * self._speed

    def wall(self) -> int:
        """Current epoch milliseconds, as on a client's clock."""
        return time.time_ns() // 1_000_000

    def wall_at(self, virtual: float) -> int:
        """Epoch milliseconds at which that virtual moment will come, provided the speed does not change."""
        return self.wall() + round((virtual - self.virtual()) / self._speed * 1000)

    def wall_seconds(self, virtual_seconds: float) -> float:
        """Convert virtual seconds to the wall seconds they take at the current speed."""
        return virtual_seconds / self._speed

    def set_speed(self, speed: float) -> None:
        self._virtual, self._anchor = self.virtual(), time.monotonic()
        self._speed = speed
        self._changed.set()

    def advance(self, seconds: float) -> None:
        """Advance virtual time at once. Timers that become due run now."""
        self._virtual += seconds
        self._changed.set()

    def call_after(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` in `seconds` virtual seconds. The action must not block."""
        self.call_at(self.virtual() + seconds, action)

    def call_at(self, moment: float, action: Callable[[], None]) -> None:
        """Call `action` at a virtual moment, at once if it is over. The action must not block."""
        timer = Timer(moment, next(self._numbers), action)
        heapq.heappush(self._timers, timer)
        if self._timers[0] is timer:
            self._changed.set()

    def start(self) -> None:
        """Start running timers. Has no effect if already started."""
        if self._runner is None:
            self._runner = gevent.spawn(self._run)

    def stop(self) -> None:
        if self._runner is not None:
            self._runner.kill()
            self._runner = None

    def clear_timers(self) -> None:
        self._timers.clear()

    def _run(self) -> None:
        while True:
            self._changed.clear()
            self._run_due()
            self._changed.wait(self._seconds_to_next())

    def _run_due(self) -> None:
        while self._timers and self._timers[0].due <= self.virtual():
            timer = heapq.heappop(self._timers)
            try:
                timer.action()
            except Exception:  # one broken timer must not stop the others, such as heartbeats
                log.exception("timer_failed")

    def _seconds_to_next(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, (self._timers[0].due - self.virtual()) / self._speed)


def iso(wall_ms: int) -> str:
    """Format epoch milliseconds as `2026-11-22T10:00:00.000Z`, as Genesys does in REST answers."""
    seconds, millis = divmod(wall_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{millis:03d}Z"
