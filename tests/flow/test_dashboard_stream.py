"""The stream of the dashboard over real gunicorn: how it begins, how many there are, and how each ends."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import gevent
import pytest

from tests.flow.gateways import start_gateway
from tests.harness.gateway import OPS_TOKEN, Gateway
from tests.harness.http import JsonClient
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

STREAMS = 50
#: A stream ends by itself after that many seconds; the worker would cut it after 30.
SECONDS = 25.0
PATIENCE = 60.0
#: The chunk after the last one.
END = b"\r\n0\r\n\r\n"


class Stream:
    """A stream as a browser reads it, with its bytes as they come."""

    def __init__(self, gateway: Gateway) -> None:
        self._socket = socket.create_connection(("127.0.0.1", gateway.port), PATIENCE)
        self._socket.sendall(
            b"GET /ops/stream HTTP/1.1\r\nHost: gateway\r\nAccept: text/event-stream\r\n"
            b"Authorization: Bearer " + OPS_TOKEN.encode() + b"\r\n\r\n"
        )
        self.read = b""
        self.seconds: float | None = None
        self._begun = time.monotonic()
        self._reader = gevent.spawn(self._receive)

    def _receive(self) -> None:
        while not self.ended and (piece := self._socket.recv(65_536)):
            self.read += piece
        self.seconds = time.monotonic() - self._begun

    @property
    def status(self) -> int:
        return int(self.read.split(b" ", 2)[1]) if b"\r\n\r\n" in self.read else 0

    @property
    def looks(self) -> int:
        return self.read.count(b"event: look\n")

    @property
    def ended(self) -> bool:
        return self.read.endswith(END)

    def close(self) -> None:
        self._reader.kill()
        self._socket.close()


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[Gateway]:
    running = start_gateway(tmp_path_factory.mktemp("gateway"), simulator.url)
    yield running
    running.close()


def test_fifty_are_served_each_ends_by_itself_and_all_end_when_the_process_drains(gateway: Gateway) -> None:
    with ExitStack() as closing:

        def opened() -> Stream:
            stream = Stream(gateway)
            closing.callback(stream.close)
            until(lambda: stream.status, PATIENCE)
            return stream

        first = opened()
        until(lambda: first.looks >= 2, PATIENCE)
        head, _, body = first.read.partition(b"\r\n\r\n")
        assert b"Content-Type: text/event-stream" in head
        assert b"Cache-Control: no-store" in head
        assert body.index(b"retry: 1000\n\n") < body.index(b"event: look\ndata: {")

        others = [opened() for _ in range(STREAMS - 1)]
        assert {one.status for one in others} == {200}
        operators = JsonClient(gateway.url, OPS_TOKEN)
        refused = operators.request("GET", "/ops/stream")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
        assert operators.request("GET", "/ops/sections").status == 200

        until(lambda: first.seconds is not None, PATIENCE)
        assert first.ended
        assert first.seconds is not None
        assert SECONDS - 1 < first.seconds < SECONDS + 4
        until(lambda: all(one.seconds is not None for one in others), PATIENCE)
        assert all(one.ended for one in others)

        last = opened()
        until(lambda: last.looks, PATIENCE)
        operators.close()
        begun = time.monotonic()
        assert gateway.stop() == 0
        assert last.ended
        assert time.monotonic() - begun < SECONDS
    assert not [line for line in gateway.log() if line["event"] == "request_cut"]
