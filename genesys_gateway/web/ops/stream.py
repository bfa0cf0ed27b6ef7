"""Sends the overview to the pages that are open, as server-sent events: each look is rendered once for all of them.

Invariant: bounded in number and in time. A stream ends before gunicorn's worker would cut it, and as soon as the
process drains; the browser opens the next one by itself, which leads to another instance if there is one.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

import orjson
from prometheus_client import Gauge

from genesys_gateway.oversight.status import Status
from genesys_gateway.runtime.clock import Clock, Deadline
from genesys_gateway.web.ops.overview import Overview, Rendering

#: Number of streams at a time; a page that gets none asks for the whole overview every few seconds.
STREAMS = 50
#: Seconds after which a stream ends; the worker would cut it after 30.
SECONDS = 25.0
#: Seconds within which a stream notices that the process drains.
_STEP_SECONDS = 0.5
#: Milliseconds after which a browser opens a stream again that has ended.
_RETRY = b"retry: 1000\n\n"


class Looks(Protocol):
    """The part of :class:`~genesys_gateway.oversight.watch.Watch` that is needed here."""

    @property
    def draining(self) -> bool:
        """Whether the process is about to end."""

    def status(self) -> Status:
        """The latest look, or a new one."""

    def wait(self, after: int, seconds: float) -> Status | None:
        """The first status with a later ``looked_at`` (epoch milliseconds); None if there is none within that time."""


class Stream:
    """All streams of one process.

    Args:
        clock: Only its monotonic time is used.
        counted: Shows the number of open streams.
    """

    def __init__(self, looks: Looks, overview: Overview, clock: Clock, counted: Gauge) -> None:
        self._looks = looks
        self._overview = overview
        self._clock = clock
        self._counted = counted
        self._open = 0

    @property
    def open(self) -> int:
        """Number of open streams."""
        return self._open

    def begin(self) -> Callable[[], None] | None:
        """Take a place for a stream; returns what gives it back, or None when there is none."""
        if self._open >= STREAMS:
            return None
        self._change(1)
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            if not given_back:
                given_back = True
                self._change(-1)

        return give_back

    def _change(self, by: int) -> None:
        self._open += by
        self._counted.set(self._open)

    def events(self, status: Status) -> Iterator[bytes]:
        """The bytes of one stream, beginning with a status: first all sections, then at each look what changed."""
        deadline = Deadline(self._clock, SECONDS)
        yield _RETRY
        seen = -1
        look: Status | None = status
        while not (deadline.passed or self._looks.draining):
            if look is not None:
                rendering = self._overview.of(look)
                yield _event(rendering, seen)
                seen = rendering.at
            look = self._looks.wait(seen, min(_STEP_SECONDS, deadline.left()))


def _event(rendering: Rendering, seen: int) -> bytes:
    """The event with all that changed after a look: made once for all pages that have seen the same."""
    made = rendering.made.get(seen)
    if made is None:
        made = b"event: look\ndata: " + orjson.dumps(rendering.since(seen)) + b"\n\n"
        rendering.made[seen] = made
    return made
