"""HTTP callers on connections that are kept open: each sends its next request when the last one is answered.

They speak HTTP by hand, because a client library would take more of the processor than the server that is measured.
"""

import itertools
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import gevent

_RECEIVE_BYTES = 65536
_SECONDS = 60.0
#: Connections of probes, which take turns.
_PROBES = 10
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
        return quantile_ms(self.delays, share)


def quantile_ms(delays: Sequence[float], share: float) -> float:
    """The delay that this share of them did not exceed, in milliseconds, of delays in seconds, shortest first."""
    return delays[min(len(delays) - 1, int(len(delays) * share))] * 1000


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


@contextmanager
def probing(port: int, request: bytes, every: float) -> Iterator[list[float]]:
    """Within the block send this request every so many seconds; yields the delays, shortest first when it has ended.

    A late answer does not put off the next request, as long as it is not late by more than a few of these times.
    """
    delays, between = list[float](), _PROBES * every
    probes = [gevent.spawn_later(at * every, _probe, port, request, between, delays) for at in range(_PROBES)]
    try:
        yield delays
    finally:
        gevent.killall(probes)
        delays.sort()
    for probe in probes:
        if probe.exception is not None:
            raise probe.exception


def _call(port: int, requests: Iterable[bytes], status: bytes, delays: list[float]) -> None:
    with socket.create_connection(("127.0.0.1", port), _SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            begun = time.perf_counter()
            connection.sendall(request)
            head = _answer(connection)
            delays.append(time.perf_counter() - begun)
            if not head.startswith(b"http/1.1 " + status):
                raise ValueError(f"answered {head[:200]!r}")


def _probe(port: int, request: bytes, between: float, delays: list[float]) -> None:
    def in_time() -> Iterator[bytes]:
        for turn in itertools.count():
            gevent.sleep(max(0.0, begun + turn * between - time.perf_counter()))
            yield request

    begun = time.perf_counter()
    _call(port, in_time(), b"200", delays)


def _answer(connection: socket.socket) -> bytes:
    """Read an answer to its end, and return its head, in lower case."""
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _more(connection)
    head, body = received[:end].lower(), received[end + 4 :]
    at = head.find(_LENGTH)
    if at < 0:
        raise ValueError(f"an answer without a length: {head[:200]!r}")
    length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
    while len(body) < length:
        body += _more(connection)
    return head


def _more(connection: socket.socket) -> bytes:
    if not (received := connection.recv(_RECEIVE_BYTES)):
        raise ValueError("the connection was closed within an answer")
    return received
