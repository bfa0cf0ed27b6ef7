"""Does an answer leave in one piece, and in the same bytes as gunicorn's own?"""

from collections.abc import Callable, Iterable
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import gunicorn.config
import pytest
from gunicorn.http.wsgi import Response

from genesys_gateway.web.gunicorn_response import WholeResponse, http_date

Send = Callable[[Response], None]


class Socket:
    """Keeps each piece that is sent."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def sendall(self, piece: bytes) -> None:
        self.pieces.append(piece)


def sent(kind: type[Response], method: str, headers: list[tuple[str, str]], body: Iterable[bytes]) -> list[bytes]:
    """The pieces in which an answer is sent."""
    request = SimpleNamespace(method=method, version=(1, 1), should_close=lambda: False)
    sock = Socket()
    response: Any = kind(request, sock, gunicorn.config.Config())
    response.start_response("200 OK", headers)
    for piece in body:
        response.write(piece)
    response.close()
    return sock.pieces


def without_date(pieces: list[bytes]) -> bytes:
    return b"\n".join(line for line in b"".join(pieces).split(b"\n") if not line.startswith(b"Date:"))


LENGTH = [("Content-Type", "text/plain"), ("Content-Length", "4")]
ANSWERS = {
    "a body": ("GET", LENGTH, [b"body"]),
    "a body in pieces": ("GET", LENGTH, [b"bo", b"dy"]),
    "more than announced": ("GET", LENGTH, [b"body", b"more"]),
    "no body": ("GET", [("Content-Length", "0")], []),
    "an empty body": ("GET", [("Content-Length", "0")], [b""]),
    "a head only": ("HEAD", LENGTH, [b"body"]),
    "chunks": ("GET", [], [b"bo", b"", b"dy"]),
    "no chunk": ("GET", [], []),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_bytes_are_those_of_gunicorn(name: str) -> None:
    method, headers, body = ANSWERS[name]

    whole = sent(WholeResponse, method, headers, body)

    assert without_date(whole) == without_date(sent(Response, method, headers, body))


@pytest.mark.parametrize("name", ["a body", "no body", "an empty body", "a head only"])
def test_it_leaves_in_one_piece(name: str) -> None:
    assert len(sent(WholeResponse, *ANSWERS[name])) == 1


def test_the_date_is_the_present_second() -> None:
    before = formatdate(usegmt=True)

    assert http_date() in (before, formatdate(usegmt=True))
