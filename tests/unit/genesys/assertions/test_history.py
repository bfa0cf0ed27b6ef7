"""An assertion is sent again until Genesys refuses it or it is out of date; a fresh one goes first."""

import base64
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock

from genesys_gateway.genesys.assertions.history import Fate, InMemorySentAssertions
from genesys_gateway.genesys.assertions.source import AssertionMissing
from genesys_gateway.genesys.login import AssertionRefused, TokenRefused
from genesys_gateway.runtime.clock import isoformat
from genesys_gateway.runtime.errors import StorageUnavailable, TransientFailure
from tests.doubles.runtime import FakeClock
from tests.doubles.tokens import TOKEN_URL, TokensOnMockedLogin, granted, refused, tokens_by_file

OLD, NEW = b"T2xk", b"TmV3"
#: Longer than any back-off of these tests.
LONG = 1000


def write(folder: Path, content: bytes) -> None:
    (folder / "assertion").write_bytes(content)


def sent_to(login: requests_mock.Mocker) -> list[str]:
    """The assertion of each request."""
    return [request.text.rpartition("assertion=")[2].replace("%3D", "=") for request in login.request_history]


def lasting(seconds: float) -> bytes:
    """An assertion that is out of date that many seconds after the fake clock's beginning."""
    until = isoformat(FakeClock().now() + round(seconds * 1000))
    return base64.b64encode(f'<Assertion><Conditions NotOnOrAfter="{until}"/></Assertion>'.encode())


def test_the_one_that_gave_a_token_is_sent_again_when_nobody_replaced_it(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, [granted("first"), granted("second")])
    tokens = tokens_by_file(tmp_path, OLD)
    tokens.value()

    tokens.clock.advance(LONG)

    assert tokens.value() == "second"
    assert sent_to(login) == ["T2xk"] * 2


def test_a_fresh_one_goes_first(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(TOKEN_URL, **granted())
    tokens = tokens_by_file(tmp_path, OLD)
    tokens.value()
    tokens.clock.advance(LONG)

    write(tmp_path, NEW)
    tokens.value()

    assert sent_to(login) == ["T2xk", "TmV3"]


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 503},
        {"status_code": 429},
        {"exc": requests.ReadTimeout},
        {"exc": requests.ConnectionError},
        {"exc": requests.ConnectTimeout},
        {"text": "no JSON"},
        {"json": {"access_token": "a b", "expires_in": 3600}},
        refused("invalid_client"),
        refused("invalid_request"),
        refused("unauthorized_client"),
        {"status_code": 400, "text": "<html>"},
        {"status_code": 401, "json": {"error": "invalid_grant"}},
        {"status_code": 403, "json": {"error": "invalid_grant"}},
        {"status_code": 404},
        {"status_code": 302, "headers": {"Location": "https://elsewhere.test"}},
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_no_other_failure_spends_it(
    login: requests_mock.Mocker, tmp_path: Path, answer: dict[str, Any], restarted: bool
) -> None:
    login.post(TOKEN_URL, [answer, granted()])
    memory = InMemorySentAssertions()
    tokens = tokens_by_file(tmp_path, OLD, memory)
    failure = tokens.error()
    assert not isinstance(failure, AssertionRefused | AssertionMissing)
    assert isinstance(tokens.error(), type(failure) if isinstance(failure, TokenRefused) else TransientFailure)
    assert login.call_count == 1  # the back-off of any failure
    assert tokens.stale() == 0  # the assertion is still good: replacing it would not help

    if restarted:
        tokens = tokens_by_file(tmp_path, OLD, memory)
    else:
        tokens.clock.advance(1)

    assert tokens.value() == "token-1"
    assert sent_to(login) == ["T2xk"] * 2


def test_one_that_was_refused_is_never_sent_again_and_a_fresh_one_at_once(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, [refused("invalid_grant"), granted()])
    memory = InMemorySentAssertions()
    tokens = tokens_by_file(tmp_path, OLD, memory)
    assert isinstance(tokens.error(), AssertionRefused)
    assert tokens.stale() == 1

    for _ in range(3):
        assert "replace GENESYS_SAML_ASSERTION_FILE" in str(tokens.error())
        tokens.clock.advance(LONG)
    tokens = tokens_by_file(tmp_path, b"T2\nxk\n", memory)  # the next process, and the same one, broken differently
    assert isinstance(tokens.error(), AssertionMissing)
    assert tokens.stale() == 1
    assert login.call_count == 1

    write(tmp_path, NEW)
    assert tokens.value() == "token-1"
    assert tokens.stale() == 0


def test_after_many_other_failures_a_fresh_one_is_sent_at_once_all_the_same(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, [*[{"status_code": 503}] * 8, refused("invalid_grant"), granted()])
    tokens = tokens_by_file(tmp_path, OLD)
    for _ in range(9):
        tokens.clock.advance(LONG)
        tokens.error()

    write(tmp_path, NEW)

    assert tokens.value() == "token-1"


def test_one_that_gave_a_token_and_is_then_refused_is_not_sent_a_third_time(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, [granted("first"), refused("invalid_grant")])
    tokens = tokens_by_file(tmp_path, OLD)
    tokens.value()

    tokens.clock.advance(950)
    assert [tokens.value() for _ in range(3)] == ["first"] * 3  # the old token serves while it lives
    tokens.clock.advance(LONG)

    assert isinstance(tokens.error(), AssertionMissing)
    assert sent_to(login) == ["T2xk"] * 2


def test_one_that_is_out_of_date_is_not_sent_again(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(TOKEN_URL, [granted(seconds=10), granted(seconds=10), granted(seconds=10)])
    tokens = tokens_by_file(tmp_path, lasting(seconds=25))
    tokens.value()
    tokens.clock.advance(10)
    tokens.value()
    assert tokens.stale() == 0

    tokens.clock.advance(15)

    assert "out of date" in str(tokens.error())
    assert tokens.stale() == 1
    assert login.call_count == 2


def test_one_that_was_never_sent_is_sent_even_if_our_clock_says_that_it_is_out_of_date(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, **granted())
    tokens = tokens_by_file(tmp_path, lasting(seconds=-3600))
    assert tokens.stale() == 1

    assert tokens.value() == "token-1"


def test_where_the_file_has_none_the_last_one_is_sent_again(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(TOKEN_URL, [granted("first"), granted("second"), refused("invalid_grant"), granted("third")])
    tokens = tokens_by_file(tmp_path, OLD)
    tokens.value()

    tokens.clock.advance(LONG)
    write(tmp_path, b"")  # caught in the middle of a replacement
    assert tokens.value() == "second"
    tokens.clock.advance(LONG)
    write(tmp_path, NEW)  # made for another application, perhaps
    assert isinstance(tokens.error(), AssertionRefused)

    assert tokens.value() == "third"
    assert sent_to(login) == ["T2xk", "T2xk", "TmV3", "T2xk"]


def test_an_assertion_of_an_earlier_release_was_sent_and_is_sent_again(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, **granted())
    memory = InMemorySentAssertions()
    tokens_by_file(tmp_path, OLD, memory).value()  # which notes it as the migration marks those of earlier releases

    tokens = tokens_by_file(tmp_path, OLD, memory)

    assert tokens.stale() == 1  # as before: nobody has replaced it
    assert tokens.value() == "token-1"
    assert tokens.stale() == 0


class UnreliableMemory(InMemorySentAssertions):
    """A memory of sent assertions whose disk fails while ``failing`` is set."""

    failing = False

    def fate(self, fingerprint: str) -> Fate | None:
        self._check()
        return super().fate(fingerprint)

    def note(self, fingerprint: str, fate: Fate) -> None:
        self._check()
        super().note(fingerprint, fate)

    def _check(self) -> None:
        if self.failing:
            raise StorageUnavailable("the disk refuses")


def restarted(folder: Path, memory: UnreliableMemory) -> TokensOnMockedLogin:
    return tokens_by_file(folder, (folder / "assertion").read_bytes(), memory)


def test_a_disk_that_refuses_costs_no_token(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(TOKEN_URL, **granted())
    memory = UnreliableMemory()
    memory.failing = True
    tokens = tokens_by_file(tmp_path, OLD, memory)

    assert tokens.value() == "token-1"
    tokens.clock.advance(LONG)
    assert tokens.value() == "token-1"


def test_what_was_refused_while_the_disk_refuses_is_known_meanwhile_and_stored_afterwards(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, [refused("invalid_grant"), granted()])
    memory = UnreliableMemory()
    memory.failing = True
    tokens = tokens_by_file(tmp_path, OLD, memory)
    tokens.error()
    assert isinstance(tokens.error(), AssertionMissing)

    memory.failing = False
    assert tokens.stale() == 1

    assert isinstance(restarted(tmp_path, memory).error(), AssertionMissing)
    assert login.call_count == 1


def test_what_was_refused_before_the_disk_refused_is_still_known(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(TOKEN_URL, [refused("invalid_grant"), granted()])
    memory = UnreliableMemory()
    restarted_once = tokens_by_file(tmp_path, OLD, memory)
    restarted_once.error()
    tokens = restarted(tmp_path, memory)
    tokens.error()

    memory.failing = True

    assert isinstance(tokens.error(), AssertionMissing)
    assert login.call_count == 1
