"""The request for a token, and the answers to it: each refusal says what to fix."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import requests_mock

from genesys_gateway.genesys.tokens import TokenRefused
from genesys_gateway.runtime.errors import NoReply, TransientFailure
from genesys_gateway.settings.secret import Secret
from tests.doubles.tokens import TOKEN_URL, TokensOnMockedLogin, granted, refused, tokens_by_file


def test_client_credentials_are_sent_as_genesys_wants_them(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, **granted())

    assert TokensOnMockedLogin().value() == "token-1"

    sent = login.request_history[-1]
    assert sent.text == "grant_type=client_credentials"
    assert sent.headers["Authorization"] == "Basic dGhlLWNsaWVudDp0aGUtc2VjcmV0"
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_the_assertion_is_sent_unchanged_but_for_line_breaks_and_encoded_once(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, **granted())

    tokens_by_file(tmp_path, b"QXNz\r\nZXJ0aW9u+/== \n").value()

    assert "assertion=QXNzZXJ0aW9u%2B%2F%3D%3D" in login.request_history[-1].text
    assert parse_qs(login.request_history[-1].text) == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:saml2-bearer"],
        "orgName": ["bank"],
        "assertion": ["QXNzZXJ0aW9u+/=="],
    }


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("invalid_client", "GENESYS_CLIENT_SECRET"),
        ("invalid_grant", "assertion must be fresh"),
        ("invalid_request", "GENESYS_ORG_NAME"),
        ("unauthorized_client", "GENESYS_GRANT_TYPE"),
        ("unsupported_grant_type", "GENESYS_GRANT_TYPE"),
        ("invalid_scope", "scopes"),
        ("something_new", "something_new"),
    ],
)
def test_a_refusal_says_what_to_fix(login: requests_mock.Mocker, code: str, advice: str) -> None:
    login.post(TOKEN_URL, **refused(code))
    tokens = TokensOnMockedLogin()

    refusal = tokens.error()

    assert isinstance(refusal, TokenRefused)
    assert advice in str(refusal)
    assert "some words" in str(refusal)
    assert isinstance(tokens.error(), TokenRefused)  # during the back-off as well
    assert login.call_count == 1


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_refusal_without_a_reason_says_where_it_came_from(login: requests_mock.Mocker, status: int) -> None:
    login.post(TOKEN_URL, status_code=status, text="<html>", headers={"Location": "https://elsewhere.test"})

    refusal = TokensOnMockedLogin().error()

    assert isinstance(refusal, TokenRefused)
    assert "GENESYS_LOGIN_URL" in str(refusal)
    assert login.call_count == 1


def test_a_description_shows_no_secret_and_stays_on_one_short_line(login: requests_mock.Mocker, tmp_path: Path) -> None:
    jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.payload"
    description = f"assertion Q+/=\r\nsecret the-secret {jwt} \x1b[31m as sent Q%2B%2F%3D " + "word " * 1000
    login.post(TOKEN_URL, **refused("invalid_grant\n", description))

    text = str(tokens_by_file(tmp_path, b"Q+/=").error())

    for hidden in ("the-secret", "Q+/=", "Q%2B", jwt, "\n", "\r", "\x1b"):
        assert hidden not in text
    assert len(text) < 600


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "no json"},
        {"json": []},
        {"json": {"expires_in": 3600}},
        {"json": {"access_token": "a b", "expires_in": 3600}},
        {"json": {"access_token": "a\nX: y", "expires_in": 3600}},
        {"json": {"access_token": "", "expires_in": 3600}},
        {"json": {"access_token": 7, "expires_in": 3600}},
        {"json": {"access_token": "a"}},
        granted("a", 0),
        granted("a", -1),
        granted("a", True),
        granted("a", "3600"),
        granted("a", None),
        granted("a", []),
        {"text": '{"access_token": "a", "expires_in": 1e999}'},
        {"text": '{"access_token": "a", "expires_in": NaN}'},
    ],
)
def test_an_answer_that_holds_no_usable_token_is_no_token(login: requests_mock.Mocker, answer: dict[str, Any]) -> None:
    login.post(TOKEN_URL, **answer)

    assert isinstance(TokensOnMockedLogin().error(), TransientFailure)


def test_an_absurdly_long_life_is_not_believed(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, **granted(seconds=10**300))

    token = TokensOnMockedLogin().current()

    assert token.expires_at - token.issued_at == 172_800_000


def test_a_client_secret_replaced_in_its_file_is_used_for_the_next_token(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, **refused("invalid_client"))
    (tmp_path / "secret").write_text("old-secret\n")
    tokens = TokensOnMockedLogin(genesys_client_secret=Secret.of_file(tmp_path / "secret"))
    tokens.error()
    old = login.request_history[-1].headers["Authorization"]

    (tmp_path / "secret").write_text("new-secret\n")
    tokens.clock.advance(1)
    tokens.error()

    assert login.request_history[-1].headers["Authorization"] != old


def test_no_reply_from_the_login_host_is_transient(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, exc=requests.ReadTimeout)
    tokens = TokensOnMockedLogin()

    assert isinstance(tokens.error(), NoReply)
    assert tokens.sample("genesys_requests_total", operation="token", outcome="no_reply") == 1


def test_saml_without_its_settings_is_refused_at_the_start() -> None:
    with pytest.raises(TokenRefused, match="GENESYS_ORG_NAME"):
        TokensOnMockedLogin(genesys_grant_type="saml2-bearer")
