"""HTTP callers on connections that are kept open: each sends its next request when the last one is answered.

They speak HTTP by hand, because a client library would take more of the processor than the server that is measured.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import gevent

_RECEIVE_BYTES = 65536
_SECONDS = 60.0
_LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """How requests were answered."""

    #: of each request, in seconds, shortest first
    delays: Sequence[float]
    #: from the first request to the last answer
    seconds: float

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.delays) / self.seconds

    def delay_ms(self, share: float) -> float:
        """The delay that this share of the requests did not exceed, in milliseconds."""
        return self.delays[min(len(self.delays) - 1, int(len(self.delays) * share))] * 1000


def post(path: str, token: str, body: bytes) -> bytes:
    """The bytes of a request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    )
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def call_all(port: int, requests: Sequence[bytes], connections: int, status: bytes) -> Called:
    """Send all requests over so many connections at once.

    Args:
        status: What each answer has to have, such as ``b"201"``.

    Raises:
        ValueError: An answer has another status, or is not complete.
        OSError: A connection failed.
    """
    left, delays, begun = iter(requests), list[float](), time.perf_counter()
    callers = [gevent.spawn(_call, port, left, status, delays) for _ in range(connections)]
    gevent.joinall(callers, raise_error=True)
    return Called(delays=sorted(delays), seconds=time.perf_counter() - begun)


def _call(port: int, requests: Iterator[bytes], status: bytes, delays: list[float]) -> None:
    with socket.create_connection(("127.0.0.1", port), _SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            begun = time.perf_counter()
            connection.sendall(request)
            head, _ = _answer(connection)
            delays.append(time.perf_counter() - begun)
            if not head.startswith(b"HTTP/1.1 " + status):
                raise ValueError(f"answered {head[:200]!r}")


def _answer(connection: socket.socket) -> tuple[bytes, bytes]:
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _more(connection)
    head, body = received[:end].lower().replace(b"http/", b"HTTP/"), received[end + 4 :]
    at = head.find(_LENGTH)
    if at < 0:
        raise ValueError(f"an answer without a length: {head[:200]!r}")
    length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
    while len(body) < length:
        body += _more(connection)
    return head, body


def _more(connection: socket.socket) -> bytes:
    if not (received := connection.recv(_RECEIVE_BYTES)):
        raise ValueError("the connection was closed within an answer")
    return received
