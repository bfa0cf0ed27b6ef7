"""Which bodies are JSON that every parser reads alike? Size, time and content type are tested through the endpoints."""

import io
from typing import Any

import pytest
from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest

from genesys_gateway.web.json_body import parse, read


def test_a_body_is_read_as_json() -> None:
    assert parse(b' {"a": [1, null, "\\u00e9"]} ') == {"a": [1, None, "é"]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'"\xed\xa0\x80"',
        b"NaN",
        b"[-Infinity]",
        b'{"a": 1, "a": 1}',
        b'[{"a": 1, "\\u0061": 2}]',
        b"[" * 100_000,
    ],
)
def test_ambiguous_or_broken_json_is_rejected(body: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(body)


class Broken(io.RawIOBase):
    """A body that ends with an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def read(self, _size: int = -1) -> Any:
        raise self._error


@pytest.mark.parametrize("error", [ConnectionResetError(), ParseException()])
def test_a_body_that_never_comes_to_its_end_is_rejected(error: Exception) -> None:
    with pytest.raises(BadRequest):
        read(Request({"wsgi.input": Broken(error), "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "2"}))
