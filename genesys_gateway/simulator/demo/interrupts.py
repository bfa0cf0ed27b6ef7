"""Ctrl-C and its kin: noted when they come, heeded where the demo waits.

Law: no exception is thrown into whatever is under way: it could fall between the start of a process and the note of
its pid, or into a finaliser, where it is lost.
"""

import signal
import time
from types import FrameType


class Interrupted(Exception):
    """Somebody wants the demo to end."""


class Interrupts:
    """Notes SIGINT, SIGTERM and SIGHUP from now on."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def pause(self, seconds: float) -> None:
        """Wait so long; only for fractions of a second, because a signal does not end it early.

        Raises:
            Interrupted: A signal has come, now or before.
        """
        time.sleep(seconds)
        if self._asked:
            raise Interrupted

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
