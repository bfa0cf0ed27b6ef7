"""Greenlets with a name, in groups that report their crashes and stop them together; and pauses in long work.

Invariant: no bare ``gevent.spawn`` anywhere else. A greenlet that ends by an unexpected error is always reported.
"""

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import gevent
from gevent.event import Event
from gevent.greenlet import Greenlet
from gevent.pool import Group

T = TypeVar("T")

#: How long a greenlet works before it pauses, in seconds.
TURN_SECONDS = 0.002
#: The shortest pause that lets the others run: after ``sleep(0)`` the hub serves no socket and no timer first.
_PAUSE_SECONDS = 1e-7

#: Called when a greenlet ended by an error, with its name and the error.
Crash = Callable[[str, BaseException], None]


class TaskGroup:
    """Greenlets that serve one purpose and are stopped together.

    Args:
        name: Put before each greenlet's own name in logs.
        on_crash: Called with the name and the error of a greenlet that ended by an error.
    """

    def __init__(self, name: str, on_crash: Crash) -> None:
        self._name = name
        self._on_crash = on_crash
        self._group = Group()
        self._stop = Event()

    @property
    def stopping(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._stop.is_set()

    def spawn(self, name: str, function: Callable[..., object], *args: object) -> "Greenlet[..., object]":
        """Start one greenlet. Its loop must end soon after :attr:`stopping` becomes true."""
        greenlet: Greenlet[..., object] = Greenlet(self._watched, name, function, *args)
        greenlet.name = f"{self._name}.{name}"
        self._group.start(greenlet)
        return greenlet

    def wait(self, seconds: float) -> bool:
        """Sleep, but wake at once when the group is stopped.

        Returns:
            True if the group is being stopped.
        """
        return self._stop.wait(seconds)

    def stop(self, seconds: float) -> list[str]:
        """Stop the group: let its greenlets end within ``seconds``, then kill those that have not.

        May be called from a greenlet of the group, which is then left running.

        Returns:
            The names of the greenlets that were killed. A second call returns an empty list at once.
        """
        self._stop.set()
        current = gevent.getcurrent()
        mine = [g for g in self._group.greenlets if g is not current]
        gevent.joinall(mine, timeout=seconds)
        late = [g for g in mine if not g.dead]
        # A greenlet that has not died a second after the kill is left alone, so that stopping takes a bounded time.
        gevent.with_timeout(1.0, gevent.killall, late, timeout_value=None)
        return sorted(g.name for g in late)

    def _watched(self, name: str, function: Callable[..., object], *args: object) -> None:
        try:
            function(*args)
        except gevent.GreenletExit:
            raise
        except (Exception, gevent.Timeout) as error:  # noqa: BLE001 - top of the greenlet: nothing above reports it
            self._on_crash(f"{self._name}.{name}", error)


class _Turn:
    """When the work of this turn of the hub's loop was first seen; a turn is named by its number."""

    __slots__ = ("number", "since")

    def __init__(self) -> None:
        self.number = -1
        self.since = 0.0


_turn = _Turn()


def pause() -> None:
    """Let the other greenlets run once. A greenlet that never waits would starve them."""
    gevent.sleep(_PAUSE_SECONDS)


def let_others_run() -> None:
    """Pause, so that the other greenlets run, if this turn has taken 2 ms already. Costs 0.2 µs if it has not."""
    # Not by the loop's time: each pause moves that, and the next greenlet would have 2 ms more in the same turn.
    number = gevent.get_hub().loop.iteration
    if number != _turn.number:
        _turn.number, _turn.since = number, time.monotonic()
    elif time.monotonic() - _turn.since > TURN_SECONDS:
        pause()


def paced(items: Iterable[T]) -> Iterator[T]:
    """The same items, with a pause before one of them whenever this turn has taken 2 ms already."""
    for item in items:
        let_others_run()
        yield item


#: Number of greenlets that want no collection now.
_without_collections = [0]


@contextmanager
def collections_put_off() -> Iterator[None]:
    """Put off the collection of garbage: with a large value in memory, each collection holds the hub for 50 ms.

    What is not part of a cycle is freed all the same. Keep the block short: some seconds at most.
    """
    _without_collections[0] += 1
    gc.disable()
    try:
        yield
    finally:
        _without_collections[0] -= 1
        if not _without_collections[0]:
            gc.enable()
