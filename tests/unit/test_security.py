"""Who comes in, who does not, and how often?"""

import contextlib
import hmac
from pathlib import Path

import pytest

from genesys_gateway.secret import Secret, role_tokens
from genesys_gateway.security import Guard, NotAllowed, NotAuthenticated, TooOften
from tests.doubles import FakeClock

BOFE = frozenset({"bofe"})
READERS = frozenset({"bofe", "ops"})
TOKENS = "bofe:bofe-token-old\nbofe:bofe-token-new\nbackoffice:backoffice-token\nops:ops-token-1"


def guard(per_minute: int = 0, clock: FakeClock | None = None, tokens: str = TOKENS) -> Guard:
    return Guard(Secret.of(tokens, role_tokens), per_minute, clock or FakeClock())


@pytest.mark.parametrize(
    "header",
    [
        "Bearer bofe-token-old",
        "Bearer bofe-token-new",
        "bearer bofe-token-new",
        "BEARER   bofe-token-new ",
    ],
)
def test_each_token_of_a_role_lets_in(header: str) -> None:
    guard().admit(header, BOFE)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "bofe-token-new",
        "Basic bofe-token-new",
        "Bearer bofe:bofe-token-new",
        "Bearer bofe-token-ne",
        "Bearer bofe-token-new1",
        "Bearer BOFE-TOKEN-NEW",
        "Bearer bofe-token-new,bofe-token-new",
        "Bearer\tbofe-token-new",
        "Bearer b\xf6fe-token-new",
        "Bearer bofe-tok\u20acn",
        "Bearer " + "x" * 100_000,
    ],
)
def test_nothing_else_lets_in(header: str | None) -> None:
    with pytest.raises(NotAuthenticated):
        guard().admit(header, BOFE)


def test_a_token_of_another_role_is_known_but_not_allowed() -> None:
    for header in ("Bearer ops-token-1", "Bearer backoffice-token"):
        with pytest.raises(NotAllowed):
            guard().admit(header, BOFE)


def test_ops_may_read_what_bofe_may() -> None:
    guard().admit("Bearer ops-token-1", READERS)
    guard().admit("Bearer bofe-token-old", READERS)


def test_a_token_with_two_roles_has_both() -> None:
    both = guard(tokens="bofe:same-token-1,ops:same-token-1")

    both.admit("Bearer same-token-1", BOFE)
    both.admit("Bearer same-token-1", frozenset({"ops"}))


def test_every_token_is_compared_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    for header in ("Bearer bofe-token-old", "Bearer ops-token-1", "Bearer x", None):
        compared.clear()
        with contextlib.suppress(NotAuthenticated):
            guard().admit(header, READERS)
        # Four tokens, each time all four, and digests of one length whatever was sent.
        assert compared == [(32, 32)] * 4


def test_a_changed_token_file_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("bofe:first-token\n")
    tokens = Secret.of_file(file, role_tokens)
    followed = Guard(tokens, 0, FakeClock())
    followed.admit("Bearer first-token", BOFE)

    file.write_text("bofe:second-token\n")
    tokens.refresh()

    followed.admit("Bearer second-token", BOFE)
    with pytest.raises(NotAuthenticated):
        followed.admit("Bearer first-token", BOFE)


def test_a_credential_may_call_so_often_in_any_minute() -> None:
    clock = FakeClock()
    limited = guard(2, clock)
    limited.admit("Bearer bofe-token-old", BOFE)
    clock.advance(20)
    limited.admit("Bearer bofe-token-old", BOFE)

    with pytest.raises(TooOften) as caught:
        limited.admit("Bearer bofe-token-old", BOFE)
    assert caught.value.retry_after == 40

    clock.advance(39.9)
    with pytest.raises(TooOften):
        limited.admit("Bearer bofe-token-old", BOFE)
    clock.advance(0.1)
    limited.admit("Bearer bofe-token-old", BOFE)


def test_one_credential_does_not_use_up_what_another_may() -> None:
    limited = guard(1)

    limited.admit("Bearer bofe-token-old", BOFE)
    limited.admit("Bearer bofe-token-new", BOFE)


def test_a_refused_request_does_not_count() -> None:
    limited = guard(1)
    with pytest.raises(NotAllowed):
        limited.admit("Bearer ops-token-1", BOFE)

    limited.admit("Bearer ops-token-1", READERS)
