"""For tests of calls to Genesys: settings, values that Genesys's answers become, and a scripted TCP server."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import socket

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys.analytics import Session, WrapupSegment
from genesys_gateway.genesys.legs import Ends
from genesys_gateway.settings import Settings

LOGIN = "https://login.genesys.test"
API = "https://api.genesys.test"
#: The variables that a gateway needs at least.
ENVIRONMENT = {
    "GENESYS_ENVIRONMENT": "genesys.test",
    "GENESYS_GRANT_TYPE": "client-credentials",
    "GENESYS_CLIENT_ID": "the-client",
    "GENESYS_CLIENT_SECRET": "the-secret",
    "COMMUNICATION_HISTORY_URL": "https://history.test",
    "GATEWAY_TOKENS": "bofe:long-enough-to-be-a-token",
}


#: What a name cache is told of the calls to Genesys: they are plentiful.
PLENTY: dict[str, Any] = {"per_minute": 300, "busy": lambda: False, "used": lambda: 0.0}


def settings(**changes: Any) -> Settings:
    """Settings as the service reads them from ENVIRONMENT, with some fields changed."""
    return dataclasses.replace(Settings.from_environment(ENVIRONMENT), **changes)


def acw_event(**changes: Any) -> AcwEvent:
    """The event of a whole call, with some fields changed."""
    values: dict[str, Any] = {
        "conversation_id": "633ba5f4-38cd-48fc-bb4c-d77057990b9e",
        "participant_id": "298c6ba8-fec0-428c-9b8f-385b9f80854f",
        "session_id": "aba6f468-0377-4258-b016-71884bca5d38",
        "user_id": "8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac",
        "event_time": 1_757_114_402_112,
        "media_type": "VOICE",
        "direction": "INBOUND",
        "ani": "tel:+33123456789",
        "dnis": "tel:+33987654321",
        "queue_id": "9a58c219-a109-4a46-a1af-dd8303f12a5a",
        "wrapup_code": "7fb334b0-0e9e-11e4-9191-0800200c9a66",
        "wrapup_notes": "Customer asked about invoice",
        "wrapup_duration_ms": 43_250,
    }
    return AcwEvent(**{**values, **changes})


def wrapup_segment(**changes: Any) -> WrapupSegment:
    """A wrap-up segment of analytics in which every field is None but the given ones."""
    values: dict[str, Any] = dict.fromkeys(("started_at", "ended_at", "code", "notes", "queue_id"))
    return WrapupSegment(**{**values, **changes})


def session(**changes: Any) -> Session:
    """A session of analytics with the ids s, p and u, without after-call work, and with the given fields."""
    absent = ("media_type", "message_type", "direction", "peer_id", "subject")
    values: dict[str, Any] = {
        **dict.fromkeys((*absent, "queue_id", "talk_ended_at")),
        "id": "s",
        "participant_id": "p",
        "user_id": "u",
        "ends": Ends(),
        "callback_numbers": (),
        "acw_skipped": False,
        "acw_ms": (),
        "goes_on": False,
        "wrapups": (),
    }
    return Session(**{**values, **changes})


@contextmanager
def listening(handle: Callable[[socket], object]) -> Iterator[str]:
    """Run a TCP server on loopback and yield its base URL.

    ``handle`` is called with each connection, which is closed afterwards.
    """

    def serve(connection: socket, _: object) -> None:
        try:
            handle(connection)
        except OSError:
            return  # the client closed first
        finally:
            connection.close()

    server = StreamServer(
        ("127.0.0.1", 0), serve, spawn=Pool()
    )  # with a pool, stop() also ends the greenlets that still wait
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.stop(timeout=0)


def request_of(connection: socket) -> bytes:
    """One whole HTTP request with its body; empty if the client closed the connection instead."""
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
