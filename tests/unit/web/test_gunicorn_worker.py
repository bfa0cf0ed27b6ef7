"""A request that takes too long ends with its connection; the rest of a request is never answered as the next one."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any
from unittest import mock

import gevent
import gunicorn.config
import pytest
import structlog
from gevent import socket

from genesys_gateway.web.gunicorn_logs import GunicornLogger
from genesys_gateway.web.gunicorn_worker import BoundedWorker

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
HUGE = b"x" * 64 * 1024 * 1024
GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKS = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class ImpatientWorker(BoundedWorker):
    """The worker with a time limit that a test can wait for."""

    request_seconds = 0.2
    keepalive_seconds = 0.4
    head_seconds = 0.8


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def serve(
    stack: ExitStack, application: Application, sent: bytes = GET
) -> tuple[socket.socket, "gevent.Greenlet[..., None]"]:
    """The client's end of a connection on which a request was sent, and the greenlet that serves it."""
    config = gunicorn.config.Config()
    worker = ImpatientWorker(1, 1, [], None, 30, config, GunicornLogger(config))
    worker.wsgi = application
    stack.callback(worker.tmp.close)
    listener = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
    client = stack.enter_context(closing(socket.create_connection(listener.getsockname())))
    accepted, address = listener.accept()
    greenlet = gevent.spawn(worker.handle, listener, accepted, address)
    client.sendall(sent)
    return client, greenlet


def answering(body: bytes) -> Application:
    def application(_environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    return application


def test_a_client_that_does_not_read_is_let_go(stack: ExitStack) -> None:
    with structlog.testing.capture_logs() as lines:
        client, served = serve(stack, answering(HUGE))
        served.join(5)

    assert served.ready()
    assert served.exception is None
    assert [(line["event"], line["log_level"]) for line in lines if line["event"] != "request"] == [
        ("request_cut", "warning")
    ]
    client.settimeout(5)
    assert len(received(client)) < len(HUGE)


def test_a_client_that_reads_gets_everything(stack: ExitStack) -> None:
    client, served = serve(stack, answering(b"x" * 100_000))

    assert received(client).endswith(b"x" * 100_000)
    served.join(5)
    assert served.exception is None


def test_a_handler_that_hangs_costs_its_own_connection_only(stack: ExitStack) -> None:
    def application(_environ: dict[str, Any], _start: Callable[..., Any]) -> Iterable[bytes]:
        gevent.sleep(60)
        return []

    client, served = serve(stack, application)
    served.join(5)

    assert served.ready()
    assert received(client) == b""


def reading(body: bytes, *swallowed: type[BaseException]) -> Application:
    """An application that reads for 0.1 s at most and answers this body; it ignores the ``swallowed`` errors."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with suppress(*swallowed), gevent.Timeout(0.1):
            environ["wsgi.input"].read()
        return answering(body)(environ, start)

    return application


def test_after_a_body_that_was_not_read_to_its_end_nothing_is_taken_for_a_request(stack: ExitStack) -> None:
    client, served = serve(stack, reading(b"late", gevent.Timeout), CHUNKS + b"%x\r\n" % len(GET))
    came = client.recv(1 << 20)
    with suppress(OSError):
        client.sendall(GET)

    assert b"Connection: close" in came
    assert came.endswith(b"late")
    assert received(client) == b""
    served.join(5)
    assert served.exception is None


def test_a_request_that_is_killed_ends_with_its_connection(stack: ExitStack) -> None:
    client, served = serve(stack, reading(b"never"), CHUNKS + b"%x\r\n" % len(GET))
    gevent.sleep(0.05)
    served.kill(block=False)
    gevent.sleep(0.05)
    with suppress(OSError):
        client.sendall(GET)

    assert received(client) == b""
    served.join(5)
    assert served.exception is None


@pytest.mark.parametrize("end", ["", "Connection: close\r\n"], ids=["kept", "ended"])
def test_a_connection_that_is_killed_after_the_answer_is_not_answered_again(stack: ExitStack, end: str) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\n{end}Content-Length: 9\r\n\r\n"
    client, served = serve(stack, answering(b"unread"), head.encode())
    came = client.recv(1 << 20)
    served.kill(block=False)

    assert came + received(client) == came
    assert came.count(b"HTTP/1.1 ") == 1
    served.join(5)
    assert served.exception is None


@pytest.mark.parametrize("rest", [b"-1\r\n\r\n", b"1\r\nxy\r\n", b"0\r\nX\r\n\r\n"], ids=["size", "end", "trailer"])
def test_what_nobody_read_of_a_body_is_not_answered_even_when_it_is_no_good(stack: ExitStack, rest: bytes) -> None:
    client, served = serve(stack, answering(b"unread"), CHUNKS + rest + GET)

    came = received(client)
    assert came.count(b"HTTP/1.1 ") == 1
    assert came.endswith(b"unread")
    served.join(5)
    assert served.exception is None


def test_what_nobody_read_of_a_body_does_not_hide_the_next_request(stack: ExitStack) -> None:
    client, _ = serve(stack, answering(b"unread"), CHUNKS + b"1\r\nx\r\n0\r\n\r\n" + GET)

    assert received(client).count(b"HTTP/1.1 ") == 2


def test_a_client_that_still_sends_hears_the_answer_when_its_connection_is_to_end(stack: ExitStack) -> None:
    size = 16 * 1024 * 1024
    head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
    client, served = serve(stack, answering(b"unread"), head.encode())

    client.sendall(b"x" * size)

    assert received(client).endswith(b"unread")
    served.join(5)
    assert served.exception is None


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n", b"x"),
        (CHUNKS, b"1;" + b"x" * 8000 + b"\r\nx\r\n"),
    ],
    ids=["length", "chunks"],
)
def test_a_client_that_sends_without_end_is_let_go_and_makes_nobody_wait(
    stack: ExitStack, head: bytes, piece: bytes
) -> None:
    _client, served = serve(stack, answering(b"unread"), head)
    served.join(0)
    rest = piece * (100_000 // len(piece))
    # Its bytes are always there already, so reading them never waits.
    stack.enter_context(mock.patch("gevent.socket.socket.recv", lambda _socket, size: rest[: size or None]))
    longest, before = 0.0, time.monotonic()
    with gevent.Timeout(10):
        while not served.ready():
            gevent.sleep(0.001)
            longest, before = max(longest, time.monotonic() - before), time.monotonic()

    assert longest < 0.5
    assert served.exception is None


KEPT = GET.replace(b"Connection: close\r\n", b"")


@pytest.mark.parametrize("sent", [b"", KEPT], ids=["nothing", "after a request"])
def test_an_idle_connection_is_kept_for_its_time(stack: ExitStack, sent: bytes) -> None:
    client, served = serve(stack, answering(b"ok"), sent)
    gevent.sleep(0.3)

    client.sendall(KEPT)
    begun = time.monotonic()
    came = received(client)

    assert came.count(b"HTTP/1.1 200") == 1 + bool(sent)
    assert 0.3 < time.monotonic() - begun < 2
    served.join(5)
    assert served.exception is None


@pytest.mark.parametrize("sent", [b"GET", KEPT + b"GET", b"\r\n"], ids=["first", "behind another", "an empty line"])
def test_the_rest_of_a_head_has_a_time_of_its_own(stack: ExitStack, sent: bytes) -> None:
    client, served = serve(stack, answering(b"ok"), sent)

    begun = time.monotonic()
    came = received(client)

    # The time for idle connections is over earlier.
    assert 0.7 < time.monotonic() - begun < 2
    assert came.count(b"HTTP/1.1") == sent.count(b"Host")
    served.join(5)
    assert served.exception is None


def test_two_requests_in_one_piece_are_both_answered(stack: ExitStack) -> None:
    client, _ = serve(stack, answering(b"ok"), KEPT + GET)

    assert received(client).count(b"HTTP/1.1 200") == 2


def received(client: socket.socket) -> bytes:
    """Everything the client still receives until its connection is closed."""
    came = b""
    try:
        while piece := client.recv(1 << 20):
            came += piece
    except TimeoutError as error:
        raise AssertionError("the connection was left open") from error
    except ConnectionResetError:
        pass  # the reset may have discarded bytes that were not read yet
    return came
