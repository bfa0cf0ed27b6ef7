"""What the tests of the way to Genesys share: settings without an environment, and a target that plays a script."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import socket

from genesys_gateway.settings import Settings

LOGIN = "https://login.genesys.test"
API = "https://api.genesys.test"


def settings(**changes: Any) -> Settings:
    """Settings as the service would read them, but for the given fields."""
    made = Settings.from_environment(
        {
            "GENESYS_ENVIRONMENT": "genesys.test",
            "GENESYS_GRANT_TYPE": "client-credentials",
            "GENESYS_CLIENT_ID": "the-client",
            "GENESYS_CLIENT_SECRET": "the-secret",
            "COMMUNICATION_HISTORY_URL": "https://history.test",
            "GATEWAY_TOKENS": "bofe:long-enough-to-be-a-token",
        }
    )
    return dataclasses.replace(made, **changes)


@contextmanager
def listening(handle: Callable[[socket], object]) -> Iterator[str]:
    """A TCP server on loopback; ``handle`` gets each connection, which is closed after it. Yields its base URL."""

    def serve(connection: socket, _: object) -> None:
        try:
            handle(connection)
        except OSError:
            return  # the client went first
        finally:
            connection.close()

    server = StreamServer(("127.0.0.1", 0), serve, spawn=Pool())  # a pool, so that stop() ends who still waits
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.stop(timeout=0)


def request_of(connection: socket) -> bytes:
    """Everything of one HTTP request, body included; empty when the client closed instead."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(n.split(b":")[1]) for n in head.split(b"\r\n") if n.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
