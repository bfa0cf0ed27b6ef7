"""The writing side of one socket: a queue of frames, the greenlet that writes them, and the faults of a bad connection.

Invariant: only this greenlet writes to the socket, so that frames never interleave and publishing never blocks.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable

import gevent
import orjson
from gevent.event import Event

from genesys_gateway.simulator.faults import Faults

_TEXT, _CLOSE, _PONG = 0x81, 0x88, 0x8A

#: Maximum number of frames waiting to be written. Beyond it the client is disconnected, as brokers do with slow
#: consumers.
_MAX_QUEUED_FRAMES = 200_000
_BATCH_BYTES = 65_536
_FLUSH_SECONDS = 2.0
_FROZEN_POLL_SECONDS = 0.05


def frame(payload: bytes, first_byte: int = _TEXT) -> bytes:
    """Encode a WebSocket frame of a server: unfragmented and unmasked."""
    size = len(payload)
    if size < 126:
        return bytes((first_byte, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", first_byte, 126, size) + payload
    return struct.pack("!BBQ", first_byte, 127, size) + payload


def json_frame(message: object) -> bytes:
    return frame(orjson.dumps(message))


def pong_frame(payload: bytes) -> bytes:
    return frame(payload, _PONG)


def close_frame(payload: bytes) -> bytes:
    return frame(payload, _CLOSE)


class Sender:
    """Owns the writing side of a socket until `finish`."""

    def __init__(self, sock: socket.socket, channel: str, faults: Faults) -> None:
        self.channel = channel
        self.frames_written = 0
        self._socket = sock
        self._faults = faults
        self._queue: deque[bytes] = deque()
        self._wake = Event()
        self._closing = False
        self._dropped = False
        #: Called when the connection is dropped, to end the reader.
        self.on_drop: Callable[[], None] = lambda: None
        self._greenlet = gevent.spawn(self._write)

    def push(self, data: bytes) -> None:
        """Queue one frame. O(1), never blocks. Frames for a closing socket are discarded."""
        if self._closing:
            return
        self._queue.append(data)
        self._wake.set()
        if len(self._queue) > _MAX_QUEUED_FRAMES:
            self.drop()

    def send(self, message: object) -> None:
        self.push(json_frame(message))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame after the queued frames, then close the connection."""
        self.push(close_frame(struct.pack("!H", code) + reason.encode()))
        self._closing = True
        self._wake.set()

    def drop(self) -> None:
        """Reset the connection at once: no close frame is sent, and queued frames are lost."""
        self._closing = self._dropped = True
        self._queue.clear()
        reset_on_close(self._socket)
        self._wake.set()
        self.on_drop()

    def finish(self) -> None:
        """Write what is queued, for at most 2 s, then stop using the socket. The reader calls it when it ends."""
        self._closing = True
        self._wake.set()
        self._greenlet.join(_FLUSH_SECONDS)
        self._greenlet.kill()

    def _write(self) -> None:
        try:
            while not (self._closing and not self._queue):
                self._wake.wait()
                self._wake.clear()
                while self._queue and self._wait_while_frozen():
                    self._write_batch()
            if not self._dropped:  # a shutdown would turn the reset into an orderly end
                self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            self._closing = True
            self._queue.clear()

    def _wait_while_frozen(self) -> bool:
        while self._faults.find("freeze", channel=self.channel):
            gevent.sleep(_FROZEN_POLL_SECONDS)
        return True

    def _write_batch(self) -> None:
        batch = bytearray()
        while self._queue and len(batch) < _BATCH_BYTES:
            batch += self._queue.popleft()
            self.frames_written += 1
        slow = self._faults.find("slow_bytes", channel=self.channel)
        if slow is None:
            self._socket.sendall(batch)
            return
        for byte in batch:
            self._socket.sendall(bytes((byte,)))
            gevent.sleep(1 / slow.number("bytesPerSecond", 10))


def reset_on_close(sock: socket.socket) -> None:
    """Make the next close of this socket reset the connection."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        return  # closed already
