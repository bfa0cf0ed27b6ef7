"""Which bodies are JSON that every parser reads alike? Size, time and content type are tested through the endpoints."""

import pytest
from werkzeug.exceptions import BadRequest

from genesys_gateway.web.json_body import parse


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
