"""A WebSocket server that sends any frame, legal or not, and a gateway's socket that is connected to it."""

import base64
import hashlib
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.socket import socket

from genesys_gateway.genesys.websocket import NotificationSocket, SocketLost, open_socket
from genesys_gateway.settings import Settings
from tests.doubles.genesys import answer, listening, request_of, settings

Serve = Callable[[socket], object]
TEXT, CONTINUATION, BINARY, CLOSE, PING, PONG = 0x1, 0x0, 0x2, 0x8, 0x9, 0xA


def accept(connection: socket) -> bytes:
    """Do the server's part of the handshake, and return the request."""
    request = request_of(connection)
    key = next(line[19:] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    return request


def refusing(*lines: str, body: bytes = b"no") -> Serve:
    """A server that answers the upgrade request with another status."""

    def handle(connection: socket) -> None:
        request_of(connection)
        connection.sendall(answer(body, *lines))

    return handle


def idle(_: socket) -> None:
    """Neither read nor write for longer than any test takes."""
    gevent.sleep(10)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, length: int | None = None) -> bytes:
    """A server's frame; ``length`` announces another length than the payload has."""
    announced = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | opcode])
    if announced < 126:
        return head + bytes([announced]) + payload
    if announced < 1 << 16:
        return head + b"\x7e" + struct.pack("!H", announced) + payload
    return head + b"\x7f" + struct.pack("!Q", announced) + payload


def next_frame(connection: socket) -> tuple[int, bytes]:
    """Opcode and payload of the client's next frame."""
    head = _exactly(connection, 2)
    length = head[1] & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", _exactly(connection, 2))
    mask = _exactly(connection, 4)
    return head[0] & 0xF, bytes(b ^ mask[i % 4] for i, b in enumerate(_exactly(connection, length)))


def _exactly(connection: socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError("the client closed")
        data += piece
    return data


def channel_uri(url: str) -> str:
    """The ``connectUri`` of a channel on the server at that URL."""
    return f"{url.replace('http', 'ws', 1)}/channels/streaming-0-abc"


def settings_for(host: str | None, port: int | None = None, **changes: Any) -> Settings:
    """Settings that permit WebSockets to that host, with a time limit of half a second."""
    return settings(http_timeout_seconds=0.5, genesys_streaming_hosts=((host, port),), **changes)


def opened_at(url: str, **changes: Any) -> NotificationSocket:
    """A socket to the server at that URL."""
    return open_socket(channel_uri(url), settings_for(urlsplit(url).hostname, urlsplit(url).port, **changes))


@contextmanager
def connected(serve: Serve) -> Iterator[NotificationSocket]:
    """A socket to a server that accepts the upgrade and then calls ``serve``."""

    def handle(connection: socket) -> None:
        accept(connection)
        serve(connection)

    with listening(handle) as url:
        opened = opened_at(url)
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail after that many seconds of real time; generous, because the tests are about having a limit at all."""
    with gevent.Timeout(seconds, AssertionError("it took too long")):
        yield


def until_lost(step: Callable[[], object]) -> None:
    """Repeat the step until it raises SocketLost."""
    while True:
        try:
            step()
        except SocketLost:
            return
