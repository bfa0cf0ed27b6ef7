"""The token: requested once however many callers wait, renewed in time, with a back-off after failures."""

import base64
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import gevent
import pytest
import requests_mock
import structlog
from gevent.event import Event
from lxml import etree

from genesys_gateway.genesys.tokens import Token
from genesys_gateway.runtime.clock import isoformat
from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.settings import Settings
from tests.doubles.genesys import ENVIRONMENT
from tests.doubles.identity_provider import signing
from tests.doubles.runtime import FakeClock
from tests.doubles.tokens import TOKEN_URL, TokensOnMockedLogin, granted, refused, tokens_by_file


def test_a_thousand_who_wait_cost_one_request(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, **granted())
    tokens = TokensOnMockedLogin()

    callers = [gevent.spawn(tokens.value) for _ in range(1000)]
    gevent.joinall(callers)

    assert {one.value for one in callers} == {"token-1"}
    assert login.call_count == 1


def test_those_who_wait_share_the_failure(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, status_code=503)
    tokens = TokensOnMockedLogin()

    callers = [gevent.spawn(tokens.error) for _ in range(100)]
    gevent.joinall(callers)

    assert all(isinstance(one.value, TransientFailure) for one in callers)
    assert login.call_count == 1


def test_a_caller_out_of_patience_leaves_the_login_and_the_assertion_to_the_others(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    hold = Event()

    def slow_login(_request: object, _context: object) -> Any:
        hold.wait()
        return granted()["json"]

    login.post(TOKEN_URL, json=slow_login)
    tokens = tokens_by_file(tmp_path)

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        tokens.value()
    other = gevent.spawn(tokens.value)
    gevent.sleep(0)
    hold.set()

    assert other.get() == "token-1"
    assert tokens.value() == "token-1"
    assert login.call_count == 1


@pytest.mark.parametrize(("life", "fresh"), [(1000, 900), (86399, 86399 - 300), (300, 270)])
def test_it_is_renewed_when_a_tenth_is_left_but_at_most_five_minutes_before_its_end(
    login: requests_mock.Mocker, life: int, fresh: float
) -> None:
    login.post(TOKEN_URL, [granted("first", life), granted("second", life)])
    tokens = TokensOnMockedLogin()
    tokens.value()

    tokens.clock.advance(fresh - 0.01)
    assert tokens.value() == "first"
    tokens.clock.advance(0.01)
    assert tokens.value() == "second"


def test_a_wall_clock_that_jumps_neither_ends_nor_prolongs_a_token(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, [granted("first"), granted("second")])
    tokens = TokensOnMockedLogin()
    tokens.value()

    tokens.clock.jump(86400)
    assert tokens.value() == "first"
    tokens.clock.jump(-2 * 86400)
    tokens.clock.advance(1000)
    assert tokens.value() == "second"


def test_while_the_renewal_fails_the_living_token_serves_until_its_end(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, [granted("first"), {"status_code": 500}])
    tokens = TokensOnMockedLogin()
    tokens.value()

    tokens.clock.advance(950)
    assert tokens.value() == "first"
    assert tokens.value() == "first"
    assert login.call_count == 2
    tokens.clock.advance(50)
    assert isinstance(tokens.error(), TransientFailure)


def test_its_times_are_known_and_its_value_is_not_shown(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, **granted("very-secret", 1000))
    tokens = TokensOnMockedLogin()

    token = tokens.current()

    assert token == Token(value="very-secret", issued_at=tokens.clock.now(), expires_at=tokens.clock.now() + 1_000_000)
    assert "very-secret" not in repr(token)
    assert tokens.sample("token_expiry_timestamp_seconds") == token.expires_at / 1000
    assert tokens.sample("genesys_requests_total", operation="token", outcome="ok") == 1


def test_after_a_failure_nobody_asks_before_the_back_off_is_over(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, status_code=503)
    tokens = TokensOnMockedLogin()

    waits = []
    for _ in range(12):
        tokens.error()
        failure = tokens.error()
        assert isinstance(failure, TransientFailure)
        assert failure.retry_after is not None
        waits.append(round(failure.retry_after, 3))
        tokens.clock.advance(failure.retry_after)

    assert waits == [1, 2, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5]
    assert login.call_count == 12


def test_the_login_host_may_ask_for_more_patience(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, status_code=429, headers={"Retry-After": "40"})
    tokens = TokensOnMockedLogin()
    tokens.error()

    failure = tokens.error()

    assert isinstance(failure, TransientFailure)
    assert failure.retry_after == 40


def test_a_success_ends_the_back_off(login: requests_mock.Mocker) -> None:
    unavailable = {"status_code": 503}
    login.post(TOKEN_URL, [unavailable, unavailable, unavailable, granted(seconds=10), unavailable])
    tokens = TokensOnMockedLogin()
    for seconds in (1, 2, 4):
        tokens.error()
        tokens.clock.advance(seconds)
    tokens.value()

    tokens.clock.advance(10)
    tokens.error()
    failure = tokens.error()

    assert isinstance(failure, TransientFailure)
    assert failure.retry_after == 1


def test_a_discarded_token_is_replaced_at_once_and_only_once(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, [granted("first"), granted("second")])
    tokens = TokensOnMockedLogin()
    first = tokens.current()

    tokens.discard(first)
    assert tokens.value() == "second"
    tokens.discard(first)
    assert tokens.value() == "second"
    assert login.call_count == 2


def test_when_new_tokens_are_refused_too_the_login_host_is_not_hammered(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, **granted())
    tokens = TokensOnMockedLogin()

    for _ in range(1000):
        try:
            tokens.discard(tokens.current())
        except TransientFailure:
            tokens.clock.advance(1)

    assert login.call_count < 230  # once in five seconds


def test_the_same_trouble_is_logged_once_and_without_secrets(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, **refused("invalid_client", "the-secret is wrong"))
    tokens = TokensOnMockedLogin()

    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            tokens.error()
            tokens.clock.advance(11)

    assert [line["event"] for line in lines] == ["token_missing"]
    assert "the-secret" not in str(lines)


def test_a_file_nobody_replaced_alarms_well_before_the_renewal_and_once(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, **granted(seconds=10_000))
    tokens = tokens_by_file(tmp_path)
    assert tokens.stale() == 0
    tokens.value()

    tokens.clock.advance(10_000 - 901)
    assert tokens.stale() == 0
    tokens.clock.advance(2)
    with structlog.testing.capture_logs() as lines:
        assert [tokens.stale() for _ in range(3)] == [1, 1, 1]

    assert [line["event"] for line in lines] == ["assertion_stale"]
    assert "replace GENESYS_SAML_ASSERTION_FILE" in lines[0]["trouble"]
    (tmp_path / "assertion").write_bytes(b"ZnJlc2g=")
    assert tokens.stale() == 0


def test_an_assertion_that_is_just_being_used_is_no_alarm(login: requests_mock.Mocker, tmp_path: Path) -> None:
    tokens = tokens_by_file(tmp_path)
    login.post(TOKEN_URL, **granted(seconds=10_000))
    tokens.value()
    tokens.clock.advance(9_800)
    (tmp_path / "assertion").write_bytes(b"ZnJlc2g=")
    seen: list[float | None] = []

    def slow_login(_request: object, _context: object) -> Any:
        seen.append(tokens.stale())
        return granted("token-2", 10_000)["json"]

    login.post(TOKEN_URL, json=slow_login)
    with structlog.testing.capture_logs() as lines:
        assert tokens.value() == "token-2"

    assert (seen, tokens.stale()) == ([0], 0)
    assert [line["event"] for line in lines] == ["token_issued"]


def test_a_file_that_is_missing_from_the_start_alarms_at_once(login: requests_mock.Mocker, tmp_path: Path) -> None:
    tokens = tokens_by_file(tmp_path)
    (tmp_path / "assertion").unlink()

    assert tokens.stale() == 1


def test_client_credentials_are_never_stale(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, **granted())
    tokens = TokensOnMockedLogin()
    tokens.value()
    tokens.clock.advance(2000)

    assert tokens.stale() == 0


def test_a_token_is_dated_as_channels_are_and_the_assertion_for_it_by_the_machines_clock(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, **granted(seconds=1000))
    machine = FakeClock()
    machine.jump(-3600)
    made = Settings.from_environment(ENVIRONMENT | signing(tmp_path))
    tokens = TokensOnMockedLogin(machine=machine, **{one.name: getattr(made, one.name) for one in fields(made)})

    token = tokens.current()

    assert (token.issued_at, token.expires_at) == (tokens.clock.now(), tokens.clock.now() + 1_000_000)
    sent = parse_qs(login.request_history[0].text)["assertion"][0]
    conditions = etree.fromstring(base64.b64decode(sent)).find(".//{*}Conditions")
    assert conditions is not None
    assert conditions.get("NotBefore") == isoformat(machine.now() - 60_000)


def test_a_login_that_fails_is_a_trouble_from_its_first_failure_until_a_token_is_issued(
    login: requests_mock.Mocker,
) -> None:
    login.post(TOKEN_URL, [{"status_code": 503}, {"status_code": 503}, granted()])
    tokens = TokensOnMockedLogin()
    assert tokens.trouble is None
    began = tokens.clock.monotonic()

    for _ in range(2):
        tokens.error()
        tokens.clock.advance(10)
    assert tokens.trouble is not None
    assert (tokens.trouble.since, tokens.trouble.error) == (began, "the login host answered 503")

    tokens.value()
    assert tokens.trouble is None


def test_a_refused_login_is_told_without_what_the_host_says_about_it(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, **refused("invalid_client", "maria.cruz@example.com is unknown"))
    tokens = TokensOnMockedLogin()
    tokens.error()

    assert tokens.trouble is not None
    assert tokens.trouble.error == "the login host answered 400 invalid_client"


def test_a_renewal_that_fails_is_a_trouble_although_the_old_token_lives(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, [granted("first", 1000), {"status_code": 503}])
    tokens = TokensOnMockedLogin()
    tokens.value()
    tokens.clock.advance(950)

    assert tokens.value() == "first"
    assert tokens.trouble is not None


def test_tokens_that_genesys_refuses_at_once_are_a_trouble_until_it_accepts_one(login: requests_mock.Mocker) -> None:
    login.post(TOKEN_URL, **granted())
    tokens = TokensOnMockedLogin()
    tokens.discard(tokens.current())
    assert tokens.trouble is None
    tokens.discard(tokens.current())
    assert tokens.trouble is not None
    began = tokens.trouble.since

    tokens.clock.advance(10)
    token = tokens.current()
    assert tokens.trouble.since == began
    tokens.accepted(token)
    assert tokens.trouble is None


def test_without_a_token_a_missing_assertion_is_stale_at_once(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(TOKEN_URL, **granted())
    tokens = tokens_by_file(tmp_path)
    tokens.discard(tokens.current())
    (tmp_path / "assertion").write_text("no assertion!")

    assert tokens.stale() == 1
