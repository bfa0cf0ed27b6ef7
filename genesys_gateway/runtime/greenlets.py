"""Greenlets with a name, a crew that watches them, and one stop button.

Law: no bare ``gevent.spawn`` anywhere else. A greenlet that dies by an error nobody expected is reported, never silent.
"""

from collections.abc import Callable

import gevent
from gevent.event import Event
from gevent.greenlet import Greenlet
from gevent.pool import Group

Crash = Callable[[str, BaseException], None]


class TaskGroup:
    """Greenlets that are started for one purpose and stopped together.

    Args:
        name: Stands before each greenlet's own name in logs.
        on_crash: Told the name and the error of a greenlet that ended by one.
    """

    def __init__(self, name: str, on_crash: Crash) -> None:
        self._name = name
        self._on_crash = on_crash
        self._group = Group()
        self._stop = Event()

    @property
    def stopping(self) -> bool:
        """Whether the stop button was pressed."""
        return self._stop.is_set()

    def spawn(self, name: str, function: Callable[..., object], *args: object) -> "Greenlet[..., object]":
        """Start one greenlet; its loop must end soon after :attr:`stopping` turns true."""
        greenlet: Greenlet[..., object] = Greenlet(self._watched, name, function, *args)
        greenlet.name = f"{self._name}.{name}"
        self._group.start(greenlet)
        return greenlet

    def wait(self, seconds: float) -> bool:
        """Sleep, but wake at once when the crew is told to stop.

        Returns:
            True when it is time to stop.
        """
        return self._stop.wait(seconds)

    def stop(self, seconds: float) -> list[str]:
        """Press the stop button and wait for everyone at most ``seconds``; whoever is late is killed.

        Returns:
            The names of the late ones. A repetition returns an empty list at once.
        """
        self._stop.set()
        current = gevent.getcurrent()
        mine = [g for g in self._group.greenlets if g is not current]
        gevent.joinall(mine, timeout=seconds)
        late = [g for g in mine if not g.dead]
        # Whoever is still busy ending itself after that is left alone: a stop takes no longer than it was given.
        gevent.with_timeout(1.0, gevent.killall, late, timeout_value=None)
        return sorted(g.name for g in late)

    def _watched(self, name: str, function: Callable[..., object], *args: object) -> None:
        try:
            function(*args)
        except gevent.GreenletExit:
            raise
        except (Exception, gevent.Timeout) as error:  # noqa: BLE001 - the top: nothing above it could report this
            self._on_crash(f"{self._name}.{name}", error)
