"""Tokens: asked for once however many wait, renewed in time, and every refusal says what to mend."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs

import gevent
import pytest
import requests
import requests_mock
import structlog

from genesys_gateway.genesys.assertions.source import (
    MAX_BYTES,
    AssertionMissing,
    InMemoryUsedAssertions,
    UsedAssertions,
)
from genesys_gateway.genesys.tokens import Token, TokenRefused, Tokens
from genesys_gateway.runtime.errors import GatewayError, NoReply, NotSent, StorageUnavailable, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings.secret import Secret
from tests.doubles.genesys import LOGIN, settings
from tests.doubles.runtime import FakeClock

URL = f"{LOGIN}/oauth/token"


class Jitter(Random):
    """The longest wait, always."""

    def uniform(self, a: float, b: float) -> float:
        return b


class House:
    """Tokens with everything they need."""

    def __init__(self, used: UsedAssertions | None = None, **changes: Any) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.settings = settings(**changes)
        http = HttpClient(self.settings, LOGIN, self.clock, 2)
        self.tokens = Tokens(self.settings, http, self.clock, self.metrics, Jitter(), used)

    def value(self) -> str:
        return self.tokens.current().value

    def refusal(self) -> GatewayError:
        with pytest.raises(GatewayError) as refusal:
            self.tokens.current()
        return refusal.value

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"genesys_gateway_{name}", labels)


@pytest.fixture(name="login")
def _login() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as login:
        yield login


def granted(value: str = "token-1", seconds: object = 1000) -> dict[str, Any]:
    return {"json": {"access_token": value, "token_type": "bearer", "expires_in": seconds}}


def refused(code: str, description: str = "some words") -> dict[str, Any]:
    return {
        "status_code": 400,
        "json": {"error": code, "description": description, "error_description": description},
    }


def saml(folder: Path, content: bytes = b"QXNzZXJ0aW9u+/==", used: UsedAssertions | None = None) -> House:
    file = folder / "assertion"
    file.write_bytes(content)
    return House(used, genesys_grant_type="saml2-bearer", genesys_org_name="bank", genesys_saml_assertion_file=file)


def test_client_credentials_are_sent_as_genesys_wants_them(login: requests_mock.Mocker) -> None:
    login.post(URL, **granted())

    assert House().value() == "token-1"

    sent = login.request_history[-1]
    assert sent.text == "grant_type=client_credentials"
    assert sent.headers["Authorization"] == "Basic dGhlLWNsaWVudDp0aGUtc2VjcmV0"
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_the_assertion_is_sent_unchanged_but_for_line_breaks_and_encoded_once(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(URL, **granted())

    saml(tmp_path, b"QXNz\r\nZXJ0aW9u+/== \n").value()

    assert "assertion=QXNzZXJ0aW9u%2B%2F%3D%3D" in login.request_history[-1].text
    assert parse_qs(login.request_history[-1].text) == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:saml2-bearer"],
        "orgName": ["bank"],
        "assertion": ["QXNzZXJ0aW9u+/=="],
    }


def test_a_thousand_who_wait_cost_one_request(login: requests_mock.Mocker) -> None:
    login.post(URL, **granted())
    house = House()

    crowd = [gevent.spawn(house.value) for _ in range(1000)]
    gevent.joinall(crowd)

    assert {one.value for one in crowd} == {"token-1"}
    assert login.call_count == 1


def test_those_who_wait_share_the_failure(login: requests_mock.Mocker) -> None:
    login.post(URL, status_code=503)
    house = House()

    crowd = [gevent.spawn(house.refusal) for _ in range(100)]
    gevent.joinall(crowd)

    assert all(isinstance(one.value, TransientFailure) for one in crowd)
    assert login.call_count == 1


@pytest.mark.parametrize(("life", "fresh"), [(1000, 900), (86399, 86399 - 300), (300, 270)])
def test_it_is_renewed_when_a_tenth_is_left_but_at_most_five_minutes_before_its_end(
    login: requests_mock.Mocker, life: int, fresh: float
) -> None:
    login.post(URL, [granted("first", life), granted("second", life)])
    house = House()
    house.value()

    house.clock.advance(fresh - 0.01)
    assert house.value() == "first"
    house.clock.advance(0.01)
    assert house.value() == "second"


def test_a_wall_clock_that_jumps_neither_ends_nor_prolongs_a_token(login: requests_mock.Mocker) -> None:
    login.post(URL, [granted("first"), granted("second")])
    house = House()
    house.value()

    house.clock.jump(86400)
    assert house.value() == "first"
    house.clock.jump(-2 * 86400)
    house.clock.advance(1000)
    assert house.value() == "second"


def test_while_the_renewal_fails_the_living_token_serves_until_its_end(login: requests_mock.Mocker) -> None:
    login.post(URL, [granted("first"), {"status_code": 500}])
    house = House()
    house.value()

    house.clock.advance(950)
    assert house.value() == "first"
    assert house.value() == "first"
    assert login.call_count == 2
    house.clock.advance(50)
    assert isinstance(house.refusal(), TransientFailure)


def test_its_times_are_known_and_its_value_is_not_shown(login: requests_mock.Mocker) -> None:
    login.post(URL, **granted("very-secret", 1000))
    house = House()

    token = house.tokens.current()

    assert token == Token(value="very-secret", issued_at=house.clock.now(), expires_at=house.clock.now() + 1_000_000)
    assert "very-secret" not in repr(token)
    assert house.sample("token_expiry_timestamp_seconds") == token.expires_at / 1000
    assert house.sample("genesys_requests_total", operation="token", outcome="ok") == 1


def test_after_a_failure_nobody_asks_before_the_back_off_is_over(login: requests_mock.Mocker) -> None:
    login.post(URL, status_code=503)
    house = House()

    waits = []
    for _ in range(12):
        house.refusal()
        delayed = house.refusal()
        assert isinstance(delayed, TransientFailure)
        assert delayed.retry_after is not None
        waits.append(round(delayed.retry_after, 3))
        house.clock.advance(delayed.retry_after)

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert login.call_count == 12


def test_the_login_host_may_ask_for_more_patience(login: requests_mock.Mocker) -> None:
    login.post(URL, status_code=429, headers={"Retry-After": "40"})
    house = House()
    house.refusal()

    delayed = house.refusal()

    assert isinstance(delayed, TransientFailure)
    assert delayed.retry_after == 40


def test_a_success_ends_the_back_off(login: requests_mock.Mocker) -> None:
    failure = {"status_code": 503}
    login.post(URL, [failure, failure, failure, granted(seconds=10), failure])
    house = House()
    for seconds in (1, 2, 4):
        house.refusal()
        house.clock.advance(seconds)
    house.value()

    house.clock.advance(10)
    house.refusal()
    delayed = house.refusal()

    assert isinstance(delayed, TransientFailure)
    assert delayed.retry_after == 1


def test_a_discarded_token_is_replaced_at_once_and_only_once(login: requests_mock.Mocker) -> None:
    login.post(URL, [granted("first"), granted("second")])
    house = House()
    first = house.tokens.current()

    house.tokens.discard(first)
    assert house.value() == "second"
    house.tokens.discard(first)
    assert house.value() == "second"
    assert login.call_count == 2


def test_when_new_tokens_are_refused_too_the_login_host_is_not_hammered(login: requests_mock.Mocker) -> None:
    login.post(URL, **granted())
    house = House()

    for _ in range(1000):
        try:
            house.tokens.discard(house.tokens.current())
        except TransientFailure:
            house.clock.advance(1)

    assert login.call_count < 20


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
def test_a_refusal_says_what_to_mend(login: requests_mock.Mocker, code: str, advice: str) -> None:
    login.post(URL, **refused(code))
    house = House()

    refusal = house.refusal()

    assert isinstance(refusal, TokenRefused)
    assert advice in str(refusal)
    assert "some words" in str(refusal)
    assert isinstance(house.refusal(), TokenRefused)  # during the back-off as well
    assert login.call_count == 1


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_refusal_without_a_reason_says_where_it_came_from(login: requests_mock.Mocker, status: int) -> None:
    login.post(URL, status_code=status, text="<html>", headers={"Location": "https://elsewhere.test"})

    refusal = House().refusal()

    assert isinstance(refusal, TokenRefused)
    assert "GENESYS_LOGIN_URL" in str(refusal)
    assert login.call_count == 1


def test_a_description_shows_no_secret_and_stays_on_one_short_line(login: requests_mock.Mocker, tmp_path: Path) -> None:
    jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.payload"
    description = f"assertion Q+/=\r\nsecret the-secret {jwt} \x1b[31m as sent Q%2B%2F%3D " + "word " * 1000
    login.post(URL, **refused("invalid_grant\n", description))

    text = str(saml(tmp_path, b"Q+/=").refusal())

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
    login.post(URL, **answer)

    assert isinstance(House().refusal(), TransientFailure)


def test_an_absurdly_long_life_is_not_believed(login: requests_mock.Mocker) -> None:
    login.post(URL, **granted(seconds=10**300))

    token = House().tokens.current()

    assert token.expires_at - token.issued_at == 172_800_000


def test_an_assertion_is_not_sent_twice(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(URL, [granted("first"), granted("second")])
    house = saml(tmp_path)
    house.value()

    house.clock.advance(1000)
    refusal = house.refusal()
    assert isinstance(refusal, AssertionMissing)
    assert "replace GENESYS_SAML_ASSERTION_FILE" in str(refusal)
    (tmp_path / "assertion").write_bytes(b"QXNz\nZXJ0aW9u+/==\n")  # the same one, broken differently
    assert isinstance(house.refusal(), AssertionMissing)
    assert login.call_count == 1

    (tmp_path / "assertion").write_bytes(b"T3RoZXI=")
    assert house.value() == "second"


def test_an_assertion_that_was_used_before_the_last_one_is_not_sent_again(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(URL, **granted())
    house = saml(tmp_path)
    house.value()
    house.clock.advance(1000)
    (tmp_path / "assertion").write_bytes(b"T3RoZXI=")
    house.value()

    house.clock.advance(1000)
    (tmp_path / "assertion").write_bytes(b"QXNzZXJ0aW9u+/==")

    assert isinstance(house.refusal(), AssertionMissing)
    assert login.call_count == 2


def test_the_next_process_sends_no_assertion_of_the_last_one_and_takes_a_fresh_one(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(URL, **granted())
    used = InMemoryUsedAssertions()
    saml(tmp_path, used=used).value()

    house = saml(tmp_path, used=used)
    assert "replace GENESYS_SAML_ASSERTION_FILE by a fresh one" in str(house.refusal())
    assert stale(house) == 1
    assert login.call_count == 1

    (tmp_path / "assertion").write_bytes(b"T3RoZXI=")
    assert house.value() == "token-1"


class Unreachable(InMemoryUsedAssertions):
    """A memory on a disk that fails now and then."""

    failing = True

    def knows(self, digest: str) -> bool:
        self._look()
        return super().knows(digest)

    def note(self, digest: str) -> bool:
        self._look()
        return super().note(digest)

    def forget(self, digest: str) -> None:
        self._look()
        super().forget(digest)

    def _look(self) -> None:
        if self.failing:
            raise StorageUnavailable("the disk refuses")


def test_without_the_disk_no_assertion_is_sent_and_with_it_at_once(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(URL, **granted())
    used = Unreachable()
    house = saml(tmp_path, used=used)

    assert isinstance(house.refusal(), AssertionMissing)
    assert stale(house) == 1
    assert login.call_count == 0

    used.failing = False
    assert house.value() == "token-1"


def test_an_assertion_that_can_not_be_given_back_is_lost_and_its_failure_still_told(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    used = Unreachable()
    used.failing = False

    def fail(*_: object) -> None:
        used.failing = True
        raise requests.ConnectTimeout

    login.post(URL, text=fail)  # type: ignore[arg-type]
    house = saml(tmp_path, used=used)
    assert isinstance(house.refusal(), NotSent)

    used.failing = False
    house.clock.advance(1)

    assert isinstance(house.refusal(), AssertionMissing)


@pytest.mark.parametrize("answer", [refused("invalid_grant"), {"status_code": 503}, {"exc": requests.ReadTimeout}])
def test_an_assertion_that_may_have_arrived_counts_as_used(
    login: requests_mock.Mocker, tmp_path: Path, answer: dict[str, Any]
) -> None:
    login.post(URL, **answer)
    house = saml(tmp_path)
    house.refusal()

    house.clock.advance(1000)

    assert isinstance(house.refusal(), AssertionMissing)
    assert login.call_count == 1


def test_an_assertion_that_never_left_is_still_fresh(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(URL, [{"exc": requests.ConnectTimeout}, granted("first")])
    house = saml(tmp_path)
    assert isinstance(house.refusal(), NotSent)

    house.clock.advance(1)

    assert house.value() == "first"


def test_an_old_assertion_stays_used_when_a_newer_one_never_left(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(URL, [granted("first"), {"exc": requests.ConnectTimeout}, granted("second")])
    house = saml(tmp_path, b"T2xk")
    house.value()
    house.clock.advance(1000)
    (tmp_path / "assertion").write_bytes(b"TmV3")
    house.refusal()

    house.clock.advance(1)
    (tmp_path / "assertion").write_bytes(b"T2xk")

    assert isinstance(house.refusal(), AssertionMissing)


@pytest.mark.parametrize("content", [b"", b"<samlp:Response/>", b"\xff\xfe", b"a b=c", b"A" * (MAX_BYTES + 1)])
def test_a_file_without_an_assertion_is_named_and_nothing_is_sent(
    login: requests_mock.Mocker, tmp_path: Path, content: bytes
) -> None:
    refusal = saml(tmp_path, content).refusal()

    assert isinstance(refusal, AssertionMissing)
    assert "GENESYS_SAML_ASSERTION_FILE" in str(refusal)
    assert login.call_count == 0


def test_a_file_that_vanished_is_named_and_looked_for_again_at_once(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(URL, **granted())
    house = saml(tmp_path)
    (tmp_path / "assertion").unlink()
    assert "can't be read" in str(house.refusal())

    (tmp_path / "assertion").write_bytes(b"QQ==")

    assert house.value() == "token-1"


def test_a_client_secret_replaced_in_its_file_is_used_for_the_next_token(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(URL, **refused("invalid_client"))
    (tmp_path / "secret").write_text("old-secret\n")
    house = House(genesys_client_secret=Secret.of_file(tmp_path / "secret"))
    house.refusal()
    old = login.request_history[-1].headers["Authorization"]

    (tmp_path / "secret").write_text("new-secret\n")
    house.clock.advance(1)
    house.refusal()

    assert login.request_history[-1].headers["Authorization"] != old


def test_no_reply_from_the_login_host_is_delayed(login: requests_mock.Mocker) -> None:
    login.post(URL, exc=requests.ReadTimeout)
    house = House()

    assert isinstance(house.refusal(), NoReply)
    assert house.sample("genesys_requests_total", operation="token", outcome="no_reply") == 1


def test_saml_without_its_settings_is_refused_at_the_start() -> None:
    with pytest.raises(TokenRefused, match="GENESYS_ORG_NAME"):
        House(genesys_grant_type="saml2-bearer")


def test_the_same_trouble_is_logged_once_and_without_secrets(login: requests_mock.Mocker) -> None:
    login.post(URL, **refused("invalid_client", "the-secret is wrong"))
    house = House()

    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            house.refusal()
            house.clock.advance(301)

    assert [line["event"] for line in lines] == ["token_missing"]
    assert "the-secret" not in str(lines)


def stale(house: House) -> float | None:
    house.tokens.look_ahead()
    return house.sample("assertion_stale")


def test_a_file_nobody_replaced_alarms_well_before_the_renewal_and_once(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(URL, **granted(seconds=10_000))
    house = saml(tmp_path)
    assert stale(house) == 0
    house.value()

    house.clock.advance(10_000 - 901)
    assert stale(house) == 0
    house.clock.advance(2)
    with structlog.testing.capture_logs() as lines:
        assert [stale(house) for _ in range(3)] == [1, 1, 1]

    assert [line["event"] for line in lines] == ["assertion_stale"]
    assert "replace GENESYS_SAML_ASSERTION_FILE" in lines[0]["trouble"]
    (tmp_path / "assertion").write_bytes(b"ZnJlc2g=")
    assert stale(house) == 0


def test_an_assertion_that_is_just_being_used_is_no_alarm(login: requests_mock.Mocker, tmp_path: Path) -> None:
    house = saml(tmp_path)
    login.post(URL, **granted(seconds=10_000))
    house.value()
    house.clock.advance(9_800)
    (tmp_path / "assertion").write_bytes(b"ZnJlc2g=")
    seen: list[float | None] = []

    def slow_login(_request: object, _context: object) -> Any:
        seen.append(stale(house))
        return granted("token-2", 10_000)["json"]

    login.post(URL, json=slow_login)
    with structlog.testing.capture_logs() as lines:
        assert house.value() == "token-2"

    assert (seen, stale(house)) == ([0], 0)
    assert [line["event"] for line in lines] == ["token_issued"]


def test_a_file_that_is_missing_from_the_start_alarms_at_once(login: requests_mock.Mocker, tmp_path: Path) -> None:
    house = saml(tmp_path)
    (tmp_path / "assertion").unlink()

    assert stale(house) == 1


def test_client_credentials_are_never_stale(login: requests_mock.Mocker) -> None:
    login.post(URL, **granted())
    house = House()
    house.value()
    house.clock.advance(2000)

    assert stale(house) == 0
