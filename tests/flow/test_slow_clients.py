"""Clients that send a byte now and then, or without end: each is disconnected within seconds and delays no other."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from statistics import median

import gevent
import pytest
from gevent import socket

from genesys_gateway.web.json_body import BODY_SECONDS
from tests.flow.calls import Call
from tests.flow.gateways import assert_quick
from tests.harness.gateway import BOFE_TOKEN, Gateway
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

ADDRESS = "/customers/supportInteraction"
HEAD = f"POST {ADDRESS} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
AUTHORIZED = f"Authorization: Bearer {BOFE_TOKEN}\r\n"
BODY = json.dumps({"customerId": "1" * 36, "interactionId": "2" * 36})
#: Seconds between two bytes of a slow client.
PAUSE = 0.25
#: The limit for a head, and for the rest of a body that is not read.
HEAD_SECONDS = 2.0
#: Seconds that a busy machine may add.
SLACK = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """One way to be slow."""

    name: str
    #: sent at once
    at_once: str
    #: sent byte by byte
    slowly: str
    #: None: the connection is closed without an answer
    status: int | None
    #: latest time of the answer or of the end of the connection
    seconds: float
    #: sent as soon as the answer has arrived
    late: str = ""


LENGTH = f"Content-Length: {len(BODY)}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
#: A whole request that comes too late: it must not be taken for the rest of the body.
HIDDEN = "GET /livez HTTP/1.1\r\nHost: gateway\r\nX-Fill: " + "x" * 80 + "\r\n\r\n"
TOO_LATE = [
    Slow(name=f"a request as {name}", at_once=at_once, slowly="", status=408, seconds=BODY_SECONDS, late=HIDDEN)
    for name, at_once in {
        "a late chunk": f"{HEAD}{AUTHORIZED}{CHUNKED}\r\n{len(HIDDEN):x}\r\n",
        "the rest of a late chunk": f"{HEAD}{AUTHORIZED}{CHUNKED}\r\n{len(HIDDEN) + 9:x}\r\n{{        ",
        "a late second chunk": f"{HEAD}{AUTHORIZED}{CHUNKED}\r\n1\r\n{{\r\n{len(HIDDEN):x}\r\n",
        "the rest of a late size": f"{HEAD}{AUTHORIZED}{CHUNKED}\r\n80;x=",
        "the late end of a chunk": f"{HEAD}{AUTHORIZED}{CHUNKED}\r\n1\r\n{{",
        "late trailers": f"{HEAD}{AUTHORIZED}{CHUNKED}\r\n0\r\n",
        "a late body": f"{HEAD}{AUTHORIZED}Content-Length: {len(HIDDEN)}\r\n\r\n",
        "the rest of a late body": f"{HEAD}{AUTHORIZED}Content-Length: {len(HIDDEN) + 9}\r\n\r\n{{        ",
    }.items()
]
ROWS = [
    Slow(name="a request line byte by byte", at_once="", slowly=HEAD * 9, status=None, seconds=HEAD_SECONDS),
    Slow(name="headers byte by byte", at_once=HEAD, slowly="X-Slow: " + "x" * 999, status=None, seconds=HEAD_SECONDS),
    Slow(name="headers that never end", at_once=HEAD, slowly="", status=None, seconds=HEAD_SECONDS),
    Slow(
        name="a body byte by byte",
        at_once=f"{HEAD}{AUTHORIZED}{LENGTH}\r\n",
        slowly=BODY,
        status=408,
        seconds=BODY_SECONDS,
    ),
    Slow(
        name="a body that never comes",
        at_once=f"{HEAD}{AUTHORIZED}{LENGTH}\r\n",
        slowly="",
        status=408,
        seconds=BODY_SECONDS,
    ),
    Slow(
        name="a body without its last byte",
        at_once=f"{HEAD}{AUTHORIZED}{LENGTH}\r\n{BODY[:-1]}",
        slowly="",
        status=408,
        seconds=BODY_SECONDS,
    ),
    Slow(
        name="chunks of one byte",
        at_once=f"{HEAD}{AUTHORIZED}{CHUNKED}\r\n",
        slowly="".join(f"1\r\n{byte}\r\n" for byte in BODY),
        status=408,
        seconds=BODY_SECONDS,
    ),
    Slow(
        name="chunks that never end",
        at_once=f"{HEAD}{AUTHORIZED}{CHUNKED}\r\n{len(BODY):x}\r\n{BODY}\r\n",
        slowly="",
        status=408,
        seconds=BODY_SECONDS,
    ),
    Slow(
        name="a size of chunk that never ends",
        at_once=f"{HEAD}{AUTHORIZED}{CHUNKED}\r\n",
        slowly="0" * 999,
        status=408,
        seconds=BODY_SECONDS,
    ),
    Slow(
        name="a slow body of an unauthenticated caller",
        at_once=f"{HEAD}{LENGTH}\r\n",
        slowly=BODY,
        status=401,
        seconds=0.0,
    ),
    Slow(
        name="a slow body that says it is too long",
        at_once=f"{HEAD}{AUTHORIZED}Content-Length: 99999999\r\n\r\n",
        slowly=BODY,
        status=413,
        seconds=0.0,
    ),
    Slow(
        name="a slow body where none belongs",
        at_once=f"GET /livez HTTP/1.1\r\nHost: gateway\r\n{LENGTH}\r\n",
        slowly=BODY,
        status=200,
        seconds=0.0,
    ),
    *TOO_LATE,
]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def connected(gateway: Gateway, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=30))


def drip(connection: socket.socket, text: str) -> None:
    with suppress(OSError):
        for byte in text.encode():
            connection.sendall(bytes((byte,)))
            gevent.sleep(PAUSE)


Heard = tuple[list[int], float, float]


def heard(connection: socket.socket, late: str = "") -> Heard:
    """The statuses received, and the seconds from now until the first one and until the end of the connection."""
    begun = time.monotonic()
    came, at = b"", None
    with suppress(ConnectionResetError, BrokenPipeError):
        while piece := connection.recv(65536):
            came += piece
            if at is None:
                at = time.monotonic() - begun
                connection.sendall(late.encode())
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", came)]
    return statuses, at or 0.0, time.monotonic() - begun


def suffered(gateway: Gateway, slow: Slow) -> Heard:
    """Be slow in that way; returns what was received."""
    with ExitStack() as stack:
        connection = connected(gateway, stack)
        connection.sendall(slow.at_once.encode())
        dripping = gevent.spawn(drip, connection, slow.slowly)
        stack.callback(dripping.kill)
        return heard(connection, slow.late)


@pytest.fixture(scope="module")
def all_heard(gateway: Gateway) -> dict[str, Heard]:
    """Play all of them at the same time, because each takes seconds."""
    clients = {slow.name: gevent.spawn(suffered, gateway, slow) for slow in ROWS}
    gevent.joinall(list(clients.values()), raise_error=True)
    return {name: client.get() for name, client in clients.items()}


@pytest.mark.parametrize("slow", ROWS, ids=lambda slow: slow.name)
def test_a_slow_client_is_let_go_in_time(slow: Slow, all_heard: dict[str, Heard]) -> None:
    statuses, answered, ended = all_heard[slow.name]

    assert statuses == ([] if slow.status is None else [slow.status])
    if statuses:
        assert slow.seconds - 0.1 <= answered <= slow.seconds + SLACK
    # The rest is read and dropped for as long as a head may take; then the connection is closed.
    assert ended <= slow.seconds + HEAD_SECONDS + SLACK


def test_many_slow_clients_slow_nobody_else_down(gateway: Gateway, simulator: Simulator, stack: ExitStack) -> None:
    connections = [connected(gateway, stack) for _ in range(200)]
    for number, connection in enumerate(connections):
        connection.sendall((HEAD if number % 2 else f"{HEAD}{AUTHORIZED}{LENGTH}\r\n").encode())
        dripping = gevent.spawn(drip, connection, BODY)
        stack.callback(dripping.kill)

    took = []
    for _ in range(30):
        call = Call(simulator, gateway)
        begun = time.monotonic()
        call.register()
        took.append(time.monotonic() - begun)

    # Nine of ten are quick; beside other tests' disk writes not as quick as the median.
    assert (median(took) < 0.5, sorted(took)[27] < 1) == (True, True), took


@pytest.mark.parametrize(
    ("told", "endless"),
    [("Content-Length: 999999999999\r\n", "x" * 65536), (CHUNKED, f"1;{'x' * 8000}\r\nx\r\n" * 8)],
    ids=["length", "chunks"],
)
def test_clients_that_send_without_end_slow_nobody_else_down(
    gateway: Gateway, stack: ExitStack, told: str, endless: str
) -> None:
    def blast(head: str) -> float:
        begun, connection = time.monotonic(), connected(gateway, stack)
        with suppress(OSError):
            connection.sendall(head.encode())
            while time.monotonic() < begun + 20:
                connection.sendall(endless.encode())
        return time.monotonic() - begun

    # One is refused because it has no token; the body of the other is read.
    senders = [gevent.spawn(blast, f"{HEAD}{who}{told}\r\n") for who in ("", AUTHORIZED)]
    for one in senders:
        stack.callback(one.kill)
    gevent.sleep(0.2)

    assert_quick(gateway)
    gevent.joinall(senders)
    assert max(one.get() for one in senders) < BODY_SECONDS + HEAD_SECONDS + SLACK


def test_connections_that_say_nothing_make_way_for_new_ones(gateway: Gateway, stack: ExitStack) -> None:
    silent = [connected(gateway, stack) for _ in range(600)]

    begun = time.monotonic()
    last = connected(gateway, stack)
    last.sendall(b"GET /livez HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
    statuses, _, _ = heard(last)

    assert statuses == [200]
    assert time.monotonic() - begun < SLACK
    silent[0].settimeout(1)
    assert silent[0].recv(1) == b""


def test_heads_that_never_end_keep_new_callers_waiting_for_seconds_only(gateway: Gateway, stack: ExitStack) -> None:
    for _ in range(600):
        connected(gateway, stack).sendall(HEAD.encode())

    begun = time.monotonic()
    last = connected(gateway, stack)
    last.sendall(b"GET /livez HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
    statuses, _, _ = heard(last)

    assert statuses == [200]
    # Somewhat over 400 at a time.
    assert time.monotonic() - begun < 2 * HEAD_SECONDS + SLACK


def test_after_all_that_nothing_is_left_open_and_nothing_was_logged_as_an_error(gateway: Gateway) -> None:
    assert not [line for line in gateway.log() if line["level"] in ("error", "critical")]
    until(lambda: gateway.metric("hub_lag_seconds") < 1)  # the longest of the last seconds, which had the tests above
