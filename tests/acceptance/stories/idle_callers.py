"""Idle connections: kept for pools, never in the way of new callers; a request that was begun has two seconds."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from uuid import uuid4

import gevent
from gevent import socket

from tests.harness.gateway import ADDRESS, BOFE_TOKEN, Gateway
from tests.harness.simulator import Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import wait_for

SECONDS = 300
#: As many connections as are served at a time.
_PLACES = 400
_HEAD_SECONDS = 2.0
_LIVE = b"GET /livez HTTP/1.1\r\nHost: gateway\r\n\r\n"
#: Seconds that a busy machine may add.
_SLACK = 3.0


class Caller:
    """One connection that is kept open."""

    def __init__(self, gateway: Gateway) -> None:
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)

    def register(self) -> int:
        """Register a conversation on it; 0 when the connection ends without an answer."""
        body = json.dumps({"customerId": str(uuid4()), "interactionId": str(uuid4())})
        head = f"POST {ADDRESS} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {BOFE_TOKEN}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return self.ask((head + body).encode())

    def ask(self, request: bytes) -> int:
        """Send a request and read its answer; returns the status, 0 when there is none."""
        with suppress(OSError):
            self.socket.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer and (piece := self.socket.recv(65536)):
                answer += piece
            length = re.search(rb"content-length: (\d+)", answer.lower())
            while length and len(answer.partition(b"\r\n\r\n")[2]) < int(length.group(1)):
                answer += self.socket.recv(65536)
            return int(answer[9:12] or b"0")
        return 0

    def seconds_until_closed(self) -> float:
        """Wait for the server to close it."""
        begun = time.monotonic()
        with suppress(ConnectionError):
            while self.socket.recv(65536):
                pass
        return time.monotonic() - begun


def play(stage: Stage) -> None:
    """Pauses between two requests, silent connections, slow heads, all at once, and the end of the service."""
    simulator = stage.simulator()
    gateway = stage.gateway(simulator).start()
    pauses = stage.scale.of(full=(3, 30, 70), fast=(3, 30), small=(3,))
    pausing = {pause: gevent.spawn(_register_twice, gateway, pause) for pause in pauses}
    for pause, pair in pausing.items():
        stage.report.claim(f"a POST after {pause} s on the same connection is answered", pair.get() == (201, 201))
    _in_the_way(stage, gateway, "that never said a word", b"")
    if stage.scale is not Scale.SMALL:
        _in_the_way(stage, gateway, "that are idle after a request", _LIVE)
        _slow_heads(stage, gateway)
    _pool_beside_silence(stage, gateway)
    _end(stage, gateway)
    if stage.scale is not Scale.SMALL:
        _own_time(stage, simulator)


def _register_twice(gateway: Gateway, pause: float) -> tuple[int, int]:
    with _callers(gateway, 1) as (caller,):
        first = caller.register()
        gevent.sleep(pause)
        return first, caller.register()


def _register_anew(gateway: Gateway) -> int:
    with _callers(gateway, 1) as (caller,):
        return caller.register()


@contextmanager
def _callers(gateway: Gateway, count: int) -> Iterator[list[Caller]]:
    with ExitStack() as stack:
        made = [Caller(gateway) for _ in range(count)]
        for one in made:
            stack.callback(one.socket.close)
        yield made


def _in_the_way(stage: Stage, gateway: Gateway, which: str, said: bytes) -> None:
    with _callers(gateway, _PLACES) as idle:
        statuses = {one.ask(said) for one in idle if said}
        begun = time.monotonic()
        status = _register_anew(gateway)
        took = time.monotonic() - begun
        left = [one.seconds_until_closed() for one in idle[:1]]
        held = status == 201 and took < _SLACK and not statuses - {200} and left[0] < _SLACK
        figure = f"{status} after {took:.2f} s"
        stage.report.claim(f"{_PLACES} connections {which} keep no new one out; the longest idle leaves", held, figure)


def _slow_heads(stage: Stage, gateway: Gateway) -> None:
    with _callers(gateway, _PLACES) as slow:
        begun = time.monotonic()
        for one in slow:
            one.socket.sendall(_LIVE[:-4])
        status = _register_anew(gateway)
        took = time.monotonic() - begun
        for one in slow:
            one.seconds_until_closed()
        ended = time.monotonic() - begun
        figure = f"closed after {ended:.1f} s; a new caller {status} after {took:.1f} s"
        held = ended < _HEAD_SECONDS + _SLACK and status == 201 and took < _HEAD_SECONDS + _SLACK
        stage.report.claim(f"{_PLACES} heads that never end are closed", held, figure)


def _pool_beside_silence(stage: Stage, gateway: Gateway) -> None:
    """Silent connections come all the time; callers that use their connection must not lose it."""
    with _callers(gateway, 20) as pool, _callers(gateway, 0) as silent, ExitStack() as stack:

        def use(caller: Caller) -> list[int]:
            statuses = []
            for _ in range(15):
                statuses.append(caller.register())
                gevent.sleep(0.1)
            return statuses

        using = [gevent.spawn(use, caller) for caller in pool]
        while not all(greenlet.ready() for greenlet in using):
            silent += [Caller(gateway) for _ in range(50)]
            gevent.sleep(0.05)
        for one in silent:
            stack.callback(one.socket.close)
        statuses = [status for greenlet in using for status in greenlet.get()]
        figure = f"{statuses.count(201)} of {len(statuses)} registered, beside {len(silent)} silent connections"
        stage.report.claim("a connection in use is never closed to make way", set(statuses) == {201}, figure)


def _end(stage: Stage, gateway: Gateway) -> None:
    with _callers(gateway, 100) as idle:
        for one in idle[:50]:
            one.ask(_LIVE)
        begun = time.monotonic()
        stopping = gevent.spawn(gateway.stop)
        wait_for(lambda: any(line["event"] == "draining" for line in gateway.log()), 5)
        ready, registered = idle[0].ask(_LIVE.replace(b"livez", b"readyz")), idle[1].register()
        code = stopping.get()
        took = time.monotonic() - begun
        figure = f"exit {code} after {took:.1f} s; meanwhile /readyz {ready}, a registration {registered}"
        held = code == 0 and took < 25 and (ready, registered) == (503, 201)
        stage.report.claim("100 idle connections do not keep it from ending; they are served until then", held, figure)


def _own_time(stage: Stage, simulator: Simulator) -> None:
    gateway = stage.gateway(simulator, {"GATEWAY_KEEPALIVE_SECONDS": "5"}, name="five").start()
    with _callers(gateway, 2) as (silent, used):
        used.ask(_LIVE)
        times = [greenlet.get() for greenlet in [gevent.spawn(one.seconds_until_closed) for one in (silent, used)]]
    figure = ", ".join(f"{seconds:.1f} s" for seconds in times)
    held = all(4.5 < seconds < 5 + _SLACK for seconds in times)
    stage.report.claim("GATEWAY_KEEPALIVE_SECONDS=5: idle connections are closed after 5 s", held, figure)
