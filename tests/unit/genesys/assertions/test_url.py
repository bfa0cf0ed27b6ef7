"""Assertions from a URL: a new one for each call, and every error named."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock

from genesys_gateway.genesys.assertions.history import AssertionHistory, InMemorySentAssertions
from genesys_gateway.genesys.assertions.source import MAX_BYTES, AssertionMissing
from genesys_gateway.genesys.assertions.url import AssertionUrl
from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.settings.secret import Secret
from tests.doubles.genesys import settings
from tests.doubles.http import MockedHttp
from tests.doubles.runtime import FakeClock

IDP = "https://idp.bank.example/saml/?for=genesys"


@pytest.fixture(name="idp")
def _idp() -> Iterator[requests_mock.Mocker]:
    with MockedHttp() as idp:
        yield idp


def assertions(token: Secret | None = None) -> AssertionUrl:
    clock = FakeClock()
    return AssertionUrl(settings(), IDP, token, clock, AssertionHistory(InMemorySentAssertions(), clock))


def error_of(source: AssertionUrl) -> TransientFailure:
    with pytest.raises(TransientFailure) as caught:
        source.take()
    return caught.value


def test_the_whole_body_is_the_assertion_and_the_address_is_asked_as_it_stands(idp: requests_mock.Mocker) -> None:
    idp.get(IDP, text="QXNz\r\nZXJ0aW9u\n")

    assert assertions(Secret.of("idp-token")).take() == "QXNzZXJ0aW9u"

    (asked,) = idp.request_history
    assert asked.url == IDP
    assert asked.headers["Authorization"] == "Bearer idp-token"


def test_without_a_token_none_is_sent(idp: requests_mock.Mocker) -> None:
    idp.get(IDP, text="QQ==")
    assertions().take()

    assert "Authorization" not in idp.request_history[-1].headers


def test_an_address_that_repeats_itself_is_believed_until_genesys_refuses(idp: requests_mock.Mocker) -> None:
    idp.get(IDP, text="QQ==")
    repeating = assertions()
    repeating.take()
    repeating.granted()
    assert repeating.take() == "QQ=="

    assert not repeating.refused()  # so that the login backs off before the address is asked again

    assert "make a new one each time" in str(error_of(repeating))
    idp.get(IDP, text="Tg==")
    assert repeating.take() == "Tg=="


def test_while_the_address_gives_none_the_last_one_goes_again(idp: requests_mock.Mocker) -> None:
    idp.get(IDP, [{"text": "QQ=="}, {"status_code": 503}])
    failing = assertions()
    failing.take()
    failing.granted()

    assert failing.take() == "QQ=="

    failing.refused()
    assert "answers 503" in str(error_of(failing))


def test_an_answer_may_have_a_byte_order_mark_and_is_named_when_it_is_utf_16(idp: requests_mock.Mocker) -> None:
    idp.get(IDP, [{"content": "\ufeffQQ==\r\n".encode()}, {"content": "QQ==".encode("utf-16")}])
    read = assertions()

    assert read.take() == "QQ=="
    read.refused()
    assert "is UTF-16 text" in str(error_of(read))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"status_code": 503, "headers": {"Retry-After": "7"}}, "answers 503"),
        ({"status_code": 302, "headers": {"Location": "https://evil.example/"}}, "answers 302"),
        ({"status_code": 201, "text": "QQ=="}, "answers 201"),
        ({"status_code": 403}, "check GENESYS_SAML_ASSERTION_URL_TOKEN"),
        ({"text": ""}, "something else"),
        ({"text": "<samlp:Response/>"}, "something else"),
        ({"content": b"A" * (MAX_BYTES + 1)}, "something else"),
        ({"exc": requests.ConnectTimeout}, "no connection in time"),
        ({"exc": requests.ReadTimeout}, "connection failed"),
    ],
)
def test_whatever_goes_wrong_there_is_named_and_backed_off_from(
    idp: requests_mock.Mocker, answer: dict[str, Any], text: str
) -> None:
    idp.get(IDP, **answer)

    found = error_of(assertions())

    assert "GENESYS_SAML_ASSERTION_URL" in str(found)
    assert text in str(found)
    assert not isinstance(found, AssertionMissing)  # that one would be asked again at once
    assert found.retry_after == (7 if answer.get("status_code") == 503 else None)
    assert idp.call_count == 1


def test_a_token_replaced_in_its_file_is_used_after_a_refusal(idp: requests_mock.Mocker, tmp_path: Path) -> None:
    idp.get(IDP, [{"status_code": 401}, {"text": "QQ=="}])
    (tmp_path / "token").write_text("old")
    asking = assertions(Secret.of_file(tmp_path / "token"))
    (tmp_path / "token").write_text("new")
    error_of(asking)

    asking.take()

    assert idp.request_history[-1].headers["Authorization"] == "Bearer new"
