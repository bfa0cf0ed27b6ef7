"""Ctrl-C and other signals: noted when they arrive, handled where the demo waits.

Invariant: a signal handler never raises an exception. It could strike between the start of a process and the storing of
its pid, or in a finaliser, where exceptions are lost.
"""

import signal
import time
from types import FrameType


class Interrupted(Exception):
    """A signal asked the demo to end."""


class Interrupts:
    """Notes SIGINT, SIGTERM and SIGHUP from now on."""

    def __init__(self) -> None:
        self._received = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def pause(self, seconds: float) -> None:
        """Sleep. Use it for fractions of a second only: a signal does not end the sleep early.

        Raises:
            Interrupted: A signal has arrived, now or before.
        """
        time.sleep(seconds)
        if self._received:
            raise Interrupted

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._received = True
