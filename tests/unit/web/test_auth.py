"""Which requests are admitted, and how many?"""

import contextlib
import hmac
from pathlib import Path
from typing import cast

import pytest

from genesys_gateway.settings.secret import Secret, role_tokens
from genesys_gateway.web.auth import Guard, NotAllowed, NotAuthenticated, TooOften
from genesys_gateway.web.jwt import Caller, JwtVerifier
from tests.doubles.runtime import FakeClock

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
        # All four configured tokens, each time, as digests of equal length.
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


def test_a_token_added_to_the_file_is_known_at_once(tmp_path: Path) -> None:
    file, clock = tmp_path / "tokens", FakeClock()
    file.write_text("bofe:first-token\n")
    followed = Guard(Secret.of_file(file, role_tokens), 0, clock)
    followed.admit("Bearer first-token", BOFE)

    file.write_text("bofe:second-token\n")

    followed.admit("Bearer second-token", BOFE)
    with pytest.raises(NotAuthenticated):
        followed.admit("Bearer first-token", BOFE)


def test_unknown_tokens_have_the_file_read_once_a_second_at_most(tmp_path: Path) -> None:
    file, clock = tmp_path / "tokens", FakeClock()
    file.write_text("bofe:first-token\n")
    followed = Guard(Secret.of_file(file, role_tokens), 0, clock)
    with pytest.raises(NotAuthenticated):
        followed.admit("Bearer second-token", BOFE)
    file.write_text("bofe:second-token\n")

    clock.advance(0.9)
    with pytest.raises(NotAuthenticated):
        followed.admit("Bearer second-token", BOFE)
    clock.advance(0.1)
    followed.admit("Bearer second-token", BOFE)


class AnyToken:
    """Reads any token but ``bad`` as valid; its subject is the part before the first dash."""

    def __init__(self, *roles: str) -> None:
        self.roles = frozenset(roles)

    def read(self, token: bytes) -> Caller | None:
        return None if token == b"bad" else Caller(roles=self.roles, subject=token.decode().split("-", maxsplit=1)[0])


def guard_with_issuer(
    *roles: str, per_minute: int = 0, clock: FakeClock | None = None, tokens: str | None = TOKENS
) -> Guard:
    secret = None if tokens is None else Secret.of(tokens, role_tokens)
    return Guard(secret, per_minute, clock or FakeClock(), cast(JwtVerifier, AnyToken(*roles)))


def test_the_issuer_s_tokens_open_what_their_roles_open() -> None:
    guard_with_issuer("bofe", "cook").admit("Bearer x", BOFE)
    for roles in ((), ("ops",), ("cook",)):
        with pytest.raises(NotAllowed):
            guard_with_issuer(*roles).admit("Bearer x", BOFE)
    with pytest.raises(NotAuthenticated):
        guard_with_issuer("bofe").admit("Bearer bad", BOFE)


def test_without_tokens_of_our_own_the_issuer_s_are_enough() -> None:
    alone = guard_with_issuer("bofe", tokens=None)

    alone.admit("Bearer x", BOFE)
    with pytest.raises(NotAuthenticated):
        alone.admit("Bearer bad", BOFE)


def test_our_own_tokens_are_not_shown_to_the_reader_of_the_issuer_s() -> None:
    with pytest.raises(NotAllowed):
        guard_with_issuer("bofe").admit("Bearer ops-token-1", BOFE)


def test_fresh_tokens_of_one_caller_share_one_limit() -> None:
    limited = guard_with_issuer("bofe", per_minute=2)
    limited.admit("Bearer maria-1", BOFE)
    limited.admit("Bearer maria-2", BOFE)

    with pytest.raises(TooOften):
        limited.admit("Bearer maria-3", BOFE)
    limited.admit("Bearer juan-1", BOFE)


def test_a_caller_can_not_use_up_what_a_token_of_ours_may() -> None:
    limited = guard_with_issuer("bofe", per_minute=1, tokens="bofe:callermaria")
    limited.admit("Bearer maria-1", BOFE)

    limited.admit("Bearer callermaria", BOFE)


def test_callers_are_forgotten_when_there_are_many() -> None:
    clock = FakeClock()
    limited = guard_with_issuer("bofe", per_minute=1, clock=clock)
    for n in range(3000):
        limited.admit(f"Bearer c{n}-1", BOFE)
        clock.advance(1)

    assert len(limited._calls) <= 1001
    with pytest.raises(TooOften):
        limited.admit("Bearer c2999-2", BOFE)
