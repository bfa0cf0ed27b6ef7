"""Assertions from a file: each fault of the file is named."""

from pathlib import Path

import pytest
import requests_mock

from genesys_gateway.genesys.assertions.source import MAX_BYTES, AssertionMissing
from tests.doubles.tokens import TOKEN_URL, granted, tokens_by_file


@pytest.mark.parametrize("content", [b"", b"<samlp:Response/>", b"\xff\xfe", b"a b=c", b"A" * (MAX_BYTES + 1)])
def test_a_file_without_an_assertion_is_named_and_nothing_is_sent(
    login: requests_mock.Mocker, tmp_path: Path, content: bytes
) -> None:
    refusal = tokens_by_file(tmp_path, content).error()

    assert isinstance(refusal, AssertionMissing)
    assert "GENESYS_SAML_ASSERTION_FILE" in str(refusal)
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
