"""Knows which connections of callers wait for a request, and closes the longest idle ones when places are scarce.

Invariant: when places are scarce, a connection that was idle for a moment leaves. One that has just come gets that
moment, so that its request can follow. A request whose first byte is here when its connection is told to leave is still
answered.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent

#: How long an idle connection stays although places are scarce, in seconds; and the maximum number of such connections.
FRESH_SECONDS = 2.0
FRESH_CONNECTIONS = 64
#: socket.SHUT_RD, as a number: only modules that open connections may import socket.
_SHUT_RD = 0


class IdleConnections:
    """The connections of one worker.

    Args:
        places: Number of connections above which idle ones have to leave.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._open = 0
        self._closed = False
        # Since when, in monotonic seconds; the longest idle first.
        self._idle: dict[Any, float] = {}
        self._leaving: set[Any] = set()

    @contextmanager
    def opened(self, sock: Any) -> Iterator[None]:
        """Around the life of a connection; it may send another one away."""
        self._open += 1
        self._make_way()
        try:
            yield
        finally:
            self._open -= 1
            self._leaving.discard(sock)

    def first_bytes(self, sock: Any, receive: Callable[[], bytes], seconds: float) -> bytes:
        """Wait for the first bytes of a request; nothing if none come in time, or if the connection has to leave."""
        self._idle[sock] = time.monotonic()
        self._make_way()
        try:
            at_first = min(seconds, FRESH_SECONDS)
            piece: bytes | None = gevent.with_timeout(at_first, receive, timeout_value=None)
            if piece is None:
                self._make_way()
                piece = gevent.with_timeout(seconds - at_first, receive, timeout_value=None)
            if piece is None:
                # Bytes may have come in the moment in which the time was over.
                piece = receive() if self._dismiss(sock) else b""
            return piece
        finally:
            self._idle.pop(sock, None)

    def leaves(self, sock: Any) -> bool:
        """Whether the connection was told to leave: it ends with the request that has just begun."""
        return sock in self._leaving

    def close(self) -> None:
        """Send all idle connections away, and each other one as soon as it is idle."""
        self._closed = True
        self._make_way()

    def _make_way(self) -> None:
        while self._idle and (self._closed or self._open - len(self._leaving) > self._places):
            sock, since = next(iter(self._idle.items()))
            fresh = time.monotonic() - since < FRESH_SECONDS and len(self._idle) <= FRESH_CONNECTIONS
            if fresh and not self._closed:
                return
            self._dismiss(sock)

    def _dismiss(self, sock: Any) -> bool:
        """Have the greenlet of an idle connection receive what has already come, or else the end of the connection."""
        self._idle.pop(sock, None)
        self._leaving.add(sock)
        # TLS has no duplicates. Nothing is left to do for a connection that the caller has closed.
        with suppress(OSError, NotImplementedError):
            # gevent would have the waiting greenlet fail, even if bytes come in this moment; of a duplicate it knows
            # nothing, and the kernel wakes the greenlet.
            duplicate = sock.dup()
            try:
                duplicate.shutdown(_SHUT_RD)
            finally:
                duplicate.close()
            return True
        return False
