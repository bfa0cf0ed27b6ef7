"""Assertions from a file: each fault of the file is named."""

from pathlib import Path

import pytest
import requests_mock

from genesys_gateway.genesys.assertions.source import MAX_BYTES, AssertionMissing
from tests.doubles.tokens import TOKEN_URL, granted, tokens_by_file


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"<samlp:Response/>", "holds no Base64"),
        (b"\xff\xfe", "is UTF-16 text"),
        ("QQ==\r\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        (b"\xe9", "is not UTF-8 text"),
        (b"a b=c", "holds no Base64"),
        (b"A" * (MAX_BYTES + 1), "is too big"),
    ],
)
def test_a_file_without_an_assertion_is_named_and_nothing_is_sent(
    login: requests_mock.Mocker, tmp_path: Path, content: bytes, fault: str
) -> None:
    refusal = tokens_by_file(tmp_path, content).error()

    assert isinstance(refusal, AssertionMissing)
    assert f"GENESYS_SAML_ASSERTION_FILE {fault}" in str(refusal)
    assert login.call_count == 0


def test_a_file_that_vanished_is_named_and_looked_for_again_at_once(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, **granted())
    tokens = tokens_by_file(tmp_path)
    (tmp_path / "assertion").unlink()
    assert "can't be read" in str(tokens.error())

    (tmp_path / "assertion").write_bytes(b"QQ==")

    assert tokens.value() == "token-1"


@pytest.mark.parametrize("content", [b"QXNz\r\nZXJ0\r\n", b"\xef\xbb\xbfQXNzZXJ0", b" QXNz ZXJ0\t\n\n"])
def test_marks_blanks_and_line_breaks_do_no_harm(login: requests_mock.Mocker, tmp_path: Path, content: bytes) -> None:
    login.post(TOKEN_URL, **granted())

    tokens_by_file(tmp_path, content).value()

    assert login.request_history[-1].text.endswith("assertion=QXNzZXJ0")
