"""Greenlets with a name, in groups that report their crashes and stop them together.

Invariant: no bare ``gevent.spawn`` anywhere else. A greenlet that ends by an unexpected error is always reported.
"""

from collections.abc import Callable

import gevent
from gevent.event import Event
from gevent.greenlet import Greenlet
from gevent.pool import Group

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
