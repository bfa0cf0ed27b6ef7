"""The simulator's own time, which can be sped up or pushed forward.

Law: what has happened carries wall time; what is yet to happen is due in virtual time. Clients live in wall time,
so whatever is said to them about the future is converted on its way out.
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
    """Something due at a virtual moment; those of one moment run in the order they were asked for."""

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
        """Epoch milliseconds, as any client would read them."""
        return time.time_ns() // 1_000_000

    def wall_at(self, virtual: float) -> int:
        """Epoch milliseconds at which that virtual moment will come, if nobody touches the speed."""
        return self.wall() + round((virtual - self.virtual()) / self._speed * 1000)

    def wall_seconds(self, virtual_seconds: float) -> float:
        """How long that much virtual time takes for a client."""
        return virtual_seconds / self._speed

    def set_speed(self, speed: float) -> None:
        self._virtual, self._anchor = self.virtual(), time.monotonic()
        self._speed = speed
        self._changed.set()

    def advance(self, seconds: float) -> None:
        """Push virtual time forward at once; whatever falls due meanwhile happens now."""
        self._virtual += seconds
        self._changed.set()

    def call_after(self, seconds: float, action: Callable[[], None]) -> None:
        """Have `action` called `seconds` virtual seconds from now. It must not block."""
        timer = Timer(self.virtual() + seconds, next(self._numbers), action)
        heapq.heappush(self._timers, timer)
        if self._timers[0] is timer:
            self._changed.set()

    def start(self) -> None:
        """Begin to run timers; a repetition does nothing."""
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
            except Exception:  # one broken timer must not stop everybody's heartbeats
                log.exception("timer_failed")

    def _seconds_to_next(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, (self._timers[0].due - self.virtual()) / self._speed)


def iso(wall_ms: int) -> str:
    """`2026-11-22T10:00:00.000Z`, the way Genesys writes moments in REST answers."""
    seconds, millis = divmod(wall_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{millis:03d}Z"
