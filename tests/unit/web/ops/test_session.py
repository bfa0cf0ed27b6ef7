"""When is a session open, and what ends it?"""

from pathlib import Path
from typing import Any, cast

import pytest

from genesys_gateway.settings.secret import Secret, role_tokens
from genesys_gateway.web.auth import Admitted, Guard, shown_name
from genesys_gateway.web.jwt import Caller, JwtVerifier
from genesys_gateway.web.ops.session import IDLE_MS, LIFE_MS, RENEWAL_MS, Session, Sessions, serializer_of
from tests.doubles.runtime import FakeClock

OPS = frozenset({"ops"})
TOKENS = "ops:ops-token-one\nops:ops-token-two\nbofe:bofe-token-1"
SECRET = Secret.of("client-secret")


class OneCaller:
    """Reads the token ``jwt`` as that of a caller with the role ops."""

    def __init__(self, clock: FakeClock, seconds: float | None, subject: str = "maria") -> None:
        ends_at = None if seconds is None else clock.now() + round(seconds * 1000)
        self._caller = Caller(roles=OPS, subject=subject, ends_at=ends_at)

    def read(self, token: bytes) -> Caller | None:
        return self._caller if token == b"jwt" else None


class World:
    """Sessions of one instance, and the guard that knows its tokens."""

    def __init__(self, clock: FakeClock, tokens: str | Secret | None = TOKENS, caller: OneCaller | None = None) -> None:
        known = Secret.of(tokens, role_tokens) if isinstance(tokens, str) else tokens
        self.clock = clock
        self.guard = Guard(known, 0, clock, cast(JwtVerifier, caller))
        self.sessions = Sessions(self.guard, SECRET, clock)

    def holder(self, token: str = "ops-token-one") -> Admitted:
        return self.guard.identify(f"Bearer {token}", OPS)

    def cookie(self, token: str = "ops-token-one") -> str:
        return self.sessions.cookie(self.sessions.open(self.holder(token)))

    def read(self, cookie: str) -> Session:
        session = self.sessions.read(cookie)
        assert session is not None
        return session


@pytest.fixture
def world(clock: FakeClock) -> World:
    return World(clock)


def test_a_session_is_read_by_each_instance_with_its_token(clock: FakeClock, world: World) -> None:
    cookie = world.cookie()

    there = World(clock).read(cookie)

    assert there.holder == world.holder()
    assert there.csrf == world.read(cookie).csrf


def test_two_sessions_have_nothing_in_common(world: World) -> None:
    one, other = (world.sessions.open(world.holder()) for _ in range(2))

    assert one.id != other.id
    assert not one.knows(other.csrf)
    assert one.knows(one.csrf)


def test_a_session_ends_when_nothing_was_requested_for_fifteen_minutes(clock: FakeClock, world: World) -> None:
    cookie = world.cookie()

    clock.advance(IDLE_MS / 1000 - 1)
    assert world.sessions.read(cookie) is not None
    clock.advance(1)
    assert world.sessions.read(cookie) is None


def test_each_request_keeps_it_open_but_not_beyond_twelve_hours(clock: FakeClock, world: World) -> None:
    cookie, opened = world.cookie(), clock.now()
    while (session := world.sessions.read(cookie)) is not None:
        cookie = world.sessions.renewed(session) or cookie
        clock.advance(600)

    assert clock.now() - opened == LIFE_MS


def test_a_young_cookie_is_not_written_anew(clock: FakeClock, world: World) -> None:
    cookie = world.cookie()
    clock.advance(RENEWAL_MS / 1000 - 1)
    assert world.sessions.renewed(world.read(cookie)) is None
    clock.advance(1)
    assert world.sessions.renewed(world.read(cookie)) is not None


def test_a_closed_session_is_refused_with_each_of_its_cookies(clock: FakeClock, world: World) -> None:
    first = world.cookie()
    clock.advance(60)
    second = world.sessions.cookie(world.read(first))

    session = world.read(second)
    world.sessions.close(session)
    clock.advance(60)

    assert world.sessions.renewed(session) is None
    assert world.sessions.read(first) is None
    assert world.sessions.read(second) is None


def test_a_session_ends_with_its_token_and_not_with_another(clock: FakeClock, world: World) -> None:
    cookie = world.cookie("ops-token-one")

    assert World(clock, "ops:ops-token-one,ops:a-new-token").sessions.read(cookie) is not None
    assert World(clock, "ops:ops-token-two,ops:a-new-token").sessions.read(cookie) is None
    assert World(clock, "bofe:ops-token-one,ops:a-new-token").sessions.read(cookie) is None


def test_a_session_by_a_token_just_added_elsewhere_is_read_here(clock: FakeClock, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("ops:ops-token-one")
    here = World(clock, Secret.of_file(file, role_tokens))
    assert here.sessions.read(here.cookie()) is not None
    cookie = World(clock, "ops:just-added-token").cookie("just-added-token")

    file.write_text("ops:just-added-token")

    assert here.sessions.read(cookie) is not None


def test_a_session_by_jwt_needs_no_token_of_ours_and_names_its_subject(clock: FakeClock) -> None:
    world = World(clock, None, OneCaller(clock, None))

    session = World(clock, None).read(world.cookie("jwt"))

    assert (session.holder.name, session.holder.by_issuer) == ("maria", True)
    assert session.holder.credential == world.holder("jwt").credential
    assert session.ends_at == clock.now() + LIFE_MS


def test_a_session_by_jwt_ends_with_it(clock: FakeClock) -> None:
    world = World(clock, TOKENS, OneCaller(clock, 300))
    cookie = world.cookie("jwt")

    clock.advance(299)
    assert world.sessions.read(cookie) is not None
    clock.advance(1)
    assert world.sessions.read(cookie) is None


def test_what_is_not_signed_is_no_session(clock: FakeClock, world: World) -> None:
    cookie = world.cookie()
    head, _, tail = cookie.rpartition(".")
    elsewhere = World(clock, "ops:a-token-of-others").cookie("a-token-of-others")
    forged = [
        *("", ".", "..", "x", "x" * 5000, "e30.e30", elsewhere, cookie[:-1], cookie + "A", f"{head}.", f".{tail}"),
        *(cookie[:n] + ("A" if cookie[n] != "A" else "B") + cookie[n + 1 :] for n in range(len(head))),
    ]

    assert [one for one in forged if world.sessions.read(one) is not None] == []
    assert world.sessions.read(None) is None


def test_a_signature_over_other_values_is_no_session(world: World) -> None:
    key = world.sessions.open(world.holder()).key
    serializer = serializer_of(key)
    forged: list[Any] = [[], {}, "x", None, {"id": 1}, {"id": "x", "opened": "a", "seen": 0, "ends": 0}]
    for values in forged:
        assert world.sessions.read(str(serializer.dumps(values))) is None


def test_no_more_closed_sessions_are_remembered_than_allowed(clock: FakeClock, world: World) -> None:
    sessions = Sessions(world.guard, SECRET, clock, most_closed=3)
    opened = [sessions.open(world.holder()) for _ in range(5)]

    for one in opened:
        sessions.close(one)

    assert [sessions.read(sessions.cookie(one)) is None for one in opened] == [False] * 2 + [True] * 3


def test_a_name_shows_no_token_and_nothing_that_moves_a_cursor(world: World) -> None:
    assert world.holder().name == "ops 5ae4a42f"
    assert "ops-token" not in repr(world.sessions.open(world.holder()))
    assert shown_name("María\n\x1b[31m\u202eop") == "María\\u000a\\u001b[31m\\u202eop"
    assert len(shown_name("\x00" * 1000)) == 100
