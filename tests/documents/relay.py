"""Lets a network namespace without a network reach PostgreSQL: 127.0.0.1:5432 in it leads to 127.0.0.1:5432 outside.

A socket in a folder joins the two halves, because names of files are the same on both sides.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gevent
from gevent import socket
from gevent.server import StreamServer

from tests.harness.databases import HOST, PORT

_BYTES = 65_536


@contextmanager
def outer_half(path: Path) -> Iterator[None]:
    """Lead from the socket in the folder to the server."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    with _running(listener, lambda: socket.create_connection((HOST, PORT))):
        yield


@contextmanager
def inner_half(path: Path) -> Iterator[None]:
    """Lead from the server's address, in this namespace, to the socket in the folder."""

    def connect() -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(path))
        return made

    with _running((HOST, PORT), connect):
        yield


@contextmanager
def _running(listener: socket.socket | tuple[str, int], connect: Callable[[], socket.socket]) -> Iterator[None]:
    def handle(client: socket.socket, _address: object) -> None:
        with client, connect() as server:
            pumps = [gevent.spawn(_pump, client, server), gevent.spawn(_pump, server, client)]
            gevent.joinall(pumps, count=1)
            gevent.killall(pumps)

    server = StreamServer(listener, handle)
    server.start()
    try:
        yield
    finally:
        server.stop(timeout=1)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_BYTES):
            sink.sendall(data)
