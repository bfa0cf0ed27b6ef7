"""A request that takes too long to be answered ends with its connection, and nothing else does."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import gevent
import gunicorn.config  # type: ignore[import-untyped] # it has no types
import pytest
import structlog
from gevent import socket

from genesys_gateway import bounded_worker
from genesys_gateway.bounded_worker import BoundedWorker
from genesys_gateway.gunicorn_logs import GunicornLogger

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
HUGE = b"x" * 64 * 1024 * 1024


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_worker, "REQUEST_SECONDS", 0.2)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def serve(stack: ExitStack, application: Application) -> tuple[socket.socket, "gevent.Greenlet[..., None]"]:
    """The client's end of a connection on which a request was sent, and the greenlet that serves it."""
    config = gunicorn.config.Config()
    worker = BoundedWorker(1, 1, [], None, 30, config, GunicornLogger(config))
    worker.wsgi = application
    stack.callback(worker.tmp.close)
    listener = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
    client = stack.enter_context(closing(socket.create_connection(listener.getsockname())))
    accepted, address = listener.accept()
    greenlet = gevent.spawn(worker.handle, listener, accepted, address)
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
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


def received(client: socket.socket) -> bytes:
    came = b""
    try:
        while piece := client.recv(1 << 20):
            came += piece
    except TimeoutError as error:
        raise AssertionError("the connection was left open") from error
    except ConnectionResetError:
        pass  # what it had not read is gone, as it may be
    return came
