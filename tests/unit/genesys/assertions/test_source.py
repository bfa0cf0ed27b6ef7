"""No assertion is sent twice, also after a restart or a failure of the database."""

from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock

from genesys_gateway.genesys.assertions.source import AssertionMissing, InMemoryUsedAssertions
from genesys_gateway.runtime.errors import NotSent, StorageUnavailable
from tests.doubles.tokens import TOKEN_URL, granted, refused, tokens_by_file


def test_an_assertion_is_not_sent_twice(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(TOKEN_URL, [granted("first"), granted("second")])
    tokens = tokens_by_file(tmp_path)
    tokens.value()

    tokens.clock.advance(1000)
    refusal = tokens.error()
    assert isinstance(refusal, AssertionMissing)
    assert "replace GENESYS_SAML_ASSERTION_FILE" in str(refusal)
    (tmp_path / "assertion").write_bytes(b"QXNz\nZXJ0aW9u+/==\n")  # the same one, broken differently
    assert isinstance(tokens.error(), AssertionMissing)
    assert login.call_count == 1

    (tmp_path / "assertion").write_bytes(b"T3RoZXI=")
    assert tokens.value() == "second"


def test_an_assertion_that_was_used_before_the_last_one_is_not_sent_again(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, **granted())
    tokens = tokens_by_file(tmp_path)
    tokens.value()
    tokens.clock.advance(1000)
    (tmp_path / "assertion").write_bytes(b"T3RoZXI=")
    tokens.value()

    tokens.clock.advance(1000)
    (tmp_path / "assertion").write_bytes(b"QXNzZXJ0aW9u+/==")

    assert isinstance(tokens.error(), AssertionMissing)
    assert login.call_count == 2


def test_the_next_process_sends_no_assertion_of_the_last_one_and_takes_a_fresh_one(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    login.post(TOKEN_URL, **granted())
    used = InMemoryUsedAssertions()
    tokens_by_file(tmp_path, used=used).value()

    tokens = tokens_by_file(tmp_path, used=used)
    assert "replace GENESYS_SAML_ASSERTION_FILE by a fresh one" in str(tokens.error())
    assert tokens.stale() == 1
    assert login.call_count == 1

    (tmp_path / "assertion").write_bytes(b"T3RoZXI=")
    assert tokens.value() == "token-1"


class UnreliableMemory(InMemoryUsedAssertions):
    """A memory of used assertions whose disk fails while ``failing`` is set."""

    failing = True

    def was_used(self, digest: str) -> bool:
        self._check()
        return super().was_used(digest)

    def note(self, digest: str) -> bool:
        self._check()
        return super().note(digest)

    def forget(self, digest: str) -> None:
        self._check()
        super().forget(digest)

    def _check(self) -> None:
        if self.failing:
            raise StorageUnavailable("the disk refuses")


def test_without_the_disk_no_assertion_is_sent_and_with_it_at_once(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(TOKEN_URL, **granted())
    used = UnreliableMemory()
    tokens = tokens_by_file(tmp_path, used=used)

    assert isinstance(tokens.error(), AssertionMissing)
    assert tokens.stale() == 1
    assert login.call_count == 0

    used.failing = False
    assert tokens.value() == "token-1"


def test_an_assertion_that_can_not_be_given_back_is_lost_and_its_failure_still_raised(
    login: requests_mock.Mocker, tmp_path: Path
) -> None:
    used = UnreliableMemory()
    used.failing = False

    def fail(*_: object) -> None:
        used.failing = True
        raise requests.ConnectTimeout

    login.post(TOKEN_URL, text=fail)  # type: ignore[arg-type]
    tokens = tokens_by_file(tmp_path, used=used)
    assert isinstance(tokens.error(), NotSent)

    used.failing = False
    tokens.clock.advance(1)

    assert isinstance(tokens.error(), AssertionMissing)


@pytest.mark.parametrize("answer", [refused("invalid_grant"), {"status_code": 503}, {"exc": requests.ReadTimeout}])
def test_an_assertion_that_may_have_arrived_counts_as_used(
    login: requests_mock.Mocker, tmp_path: Path, answer: dict[str, Any]
) -> None:
    login.post(TOKEN_URL, **answer)
    tokens = tokens_by_file(tmp_path)
    tokens.error()

    tokens.clock.advance(1000)

    assert isinstance(tokens.error(), AssertionMissing)
    assert login.call_count == 1


def test_an_assertion_that_never_left_is_still_fresh(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(TOKEN_URL, [{"exc": requests.ConnectTimeout}, granted("first")])
    tokens = tokens_by_file(tmp_path)
    assert isinstance(tokens.error(), NotSent)

    tokens.clock.advance(1)

    assert tokens.value() == "first"


def test_an_old_assertion_stays_used_when_a_newer_one_never_left(login: requests_mock.Mocker, tmp_path: Path) -> None:
    login.post(TOKEN_URL, [granted("first"), {"exc": requests.ConnectTimeout}, granted("second")])
    tokens = tokens_by_file(tmp_path, b"T2xk")
    tokens.value()
    tokens.clock.advance(1000)
    (tmp_path / "assertion").write_bytes(b"TmV3")
    tokens.error()

    tokens.clock.advance(1)
    (tmp_path / "assertion").write_bytes(b"T2xk")

    assert isinstance(tokens.error(), AssertionMissing)
