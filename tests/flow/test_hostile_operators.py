"""Hostile requests to what operators see: the expected answer each, and afterwards nothing is broken.

A table for what a stranger, a foreign page, a thief of cookies or a curious colleague may send, and stored content that
would be executed in a browser if a page or an answer did not escape it.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from genesys_gateway.domain.record import FirstAttemptFacts
from genesys_gateway.oversight.paging import cursor_after
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.settings.secret import Secret, role_tokens
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements.listing import Place
from genesys_gateway.storage.tables import registration
from genesys_gateway.web.auth import Guard
from genesys_gateway.web.ops.session import COOKIE, IDLE_MS, LIFE_MS, Sessions, serializer_of
from tests.doubles import stored_rows as stored
from tests.doubles.runtime import FakeClock
from tests.flow.gateways import assert_quick, start_gateway
from tests.flow.test_bad_input import INTERNALS, ask
from tests.harness.gateway import BACKOFFICE_TOKEN, BOFE_TOKEN, OPS_TOKEN, Gateway
from tests.harness.simulator import Simulator

CONVERSATION = "5c1e7a6e-0000-4000-8000-000000000001"
DEAD, ERASED, DELIVERED = (f"97f2f1c4-8d1e-5c1b-9b53-00000000000{n}" for n in (1, 2, 3))
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
#: Executed by a browser that is shown it without escaping, in text or in an attribute.
SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
RECORD = f"/ops/api/records/{DEAD}"
#: An answer that leads to the overview, and nowhere else.
HOME = ("Location: /ops/\r\n",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One request. ``@NAME@`` in its target, head or body stands for something of this run, see :func:`filled`."""

    name: str
    #: 0: the connection ends without an answer, as for everything that is no HTTP
    status: int
    target: str = "/ops/api/status"
    method: str = "GET"
    head: tuple[str, ...] = ()
    body: bytes = b""
    #: whether it carries the cookie of an open session
    session: bool = False
    #: of a bearer
    token: str | None = None
    kind: str | None = None
    #: what the head or the body of the answer must contain
    says: tuple[str, ...] = field(default=())


def by_session(name: str, status: int, target: str = f"{RECORD}/reveal", **more: Any) -> Hostile:
    sent: dict[str, Any] = {"method": "POST", "session": True}
    return Hostile(name=name, status=status, target=target, **sent | more)


def by_cookie(name: str, cookie: str) -> Hostile:
    return Hostile(name=f"cookie: {name}", status=401, head=(f"Cookie: {COOKIE}={cookie}",))


def by_bearer(name: str, status: int, target: str, **more: Any) -> Hostile:
    return Hostile(name=name, status=status, target=target, token=OPS_TOKEN, **more)


def login(name: str, status: int, body: bytes, **more: Any) -> Hostile:
    sent: dict[str, Any] = {"kind": FORM, "head": ("X-Forwarded-For: 192.0.2.1",)} | more
    return Hostile(name=f"login: {name}", status=status, target="/ops/login", method="POST", body=body, **sent)


def requeue(name: str, status: int, body: bytes, **more: Any) -> Hostile:
    sent: dict[str, Any] = {"kind": JSON} | more
    return by_bearer(f"requeue: {name}", status, "/ops/api/records/requeue", method="POST", body=body, **sent)


STRANGERS = [
    Hostile(name="no credential", status=401, says=("WWW-Authenticate: Bearer",)),
    Hostile(name="an unknown token", status=401, token="unknown-token-for-tests"),
    Hostile(name="a token cut short", status=401, token=OPS_TOKEN[:-1]),
    Hostile(name="the role bofe", status=403, token=BOFE_TOKEN),
    Hostile(name="the role backoffice", status=403, token=BACKOFFICE_TOKEN),
    Hostile(name="the role bofe reveals", status=403, token=BOFE_TOKEN, method="POST", target=f"{RECORD}/reveal"),
    Hostile(name="Basic", status=401, head=(f"Authorization: Basic {OPS_TOKEN}",)),
    Hostile(name="a token in the query", status=401, target=f"/ops/api/status?access_token={OPS_TOKEN}"),
    Hostile(name="a token as cookie", status=401, head=(f"Cookie: {COOKIE}={OPS_TOKEN}",)),
    Hostile(name="a session, and a wrong bearer", status=401, session=True, token="unknown-token-for-tests"),
    Hostile(name="a session, and the bearer of bofe", status=403, session=True, token=BOFE_TOKEN),
    Hostile(
        name="a browser without a session",
        status=303,
        target="/ops/?next=//evil.example/",
        head=("Accept: text/html", "X-Forwarded-Host: evil.example"),
        says=("Location: /ops/login\r\n",),
    ),
    Hostile(
        name="a browser without a session that asks for a page of another site",
        status=303,
        target="/ops/records?next=//evil.example/",
        head=("Accept: text/html", "X-Forwarded-Host: evil.example", "Referer: http://evil/"),
        says=("Location: /ops/login\r\n",),
    ),
    Hostile(
        name="a form without a session that names a page of another site",
        status=303,
        target=f"/ops/records/{DEAD}/reveal",
        method="POST",
        kind=FORM,
        body=b"next=//evil.example/",
        head=("Accept: text/html", "Referer: http://evil.example/x"),
        says=(f"Location: /ops/login?next=/ops/records/{DEAD}\r\n",),
    ),
    Hostile(name="a stream without a session", status=401, target="/ops/stream", head=("Accept: text/event-stream",)),
]

COOKIES = [
    by_cookie("none", ""),
    by_cookie("cut", "@CUT@"),
    by_cookie("a byte changed", "@CHANGED@"),
    by_cookie("without its signature", "@UNSIGNED@"),
    by_cookie("the signature of another", "@MIXED@"),
    by_cookie("signed with another key", "@OTHER_KEY@"),
    by_cookie("of a token that is not configured", "@OTHER_TOKEN@"),
    by_cookie("of a JWT, signed with a token", "@AS_ISSUER@"),
    by_cookie("idle for too long", "@IDLE@"),
    by_cookie("older than twelve hours", "@OLD@"),
    by_cookie("after its logout", "@LOGGED_OUT@"),
    by_cookie("JSON", "{%22id%22:1}"),
    by_cookie("long", "A" * 6000),
    by_cookie("a pickle", "gASVHQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg=="),
    Hostile(name="a head of 64 KiB", status=431, head=(f"Cookie: {COOKIE}={'A' * 65_000}",)),
    Hostile(name="200 headers", status=431, head=tuple(f"X-{n}: x" for n in range(200))),
]

FOREIGN_PAGES = [
    by_session("no word", 403),
    by_session("a wrong word", 403, head=("X-CSRF-Token: 00000000000000000000000000000000",)),
    by_session("an empty word", 403, head=("X-CSRF-Token: ",)),
    by_session("the word of another session", 403, head=("X-CSRF-Token: @OTHER_WORD@",)),
    by_session("the word twice", 403, head=("X-CSRF-Token: @WORD@", "X-CSRF-Token: @WORD@")),
    by_session("the word in the query", 403, f"{RECORD}/reveal?csrf=@WORD@"),
    by_session("the word as cookie", 403, session=False, head=(f"Cookie: {COOKIE}=@COOKIE@; csrf=@WORD@",)),
    by_session("the word in JSON", 403, kind=JSON, body=b'{"csrf": "@WORD@"}'),
    by_session("the word in a text", 403, kind="text/plain", body=b"csrf=@WORD@"),
    by_session("a wrong word in a form", 403, kind=FORM, body=b"csrf=x"),
    by_session("a form too large", 403, kind=FORM, body=b"a=" + b"x" * 17_000 + b"&csrf=@WORD@"),
    by_session("a requeue without the word", 403, f"{RECORD}/requeue"),
    by_session("a requeue of all without the word", 403, "/ops/api/records/requeue", kind=JSON, body=b"{}"),
    by_session("a logout without the word", 403, "/ops/logout"),
    by_session("a foreign origin with the word", 403, head=("X-CSRF-Token: @WORD@", "Origin: https://evil.example")),
    by_session("the origin null", 403, head=("X-CSRF-Token: @WORD@", "Origin: null")),
    by_session("an origin that begins alike", 403, head=("X-CSRF-Token: @WORD@", "Origin: http://gateway.evil")),
    by_session("cross-site", 403, head=("X-CSRF-Token: @WORD@", "Sec-Fetch-Site: cross-site")),
    by_session("same-site", 403, head=("X-CSRF-Token: @WORD@", "Sec-Fetch-Site: same-site")),
    by_bearer("a bearer from a foreign page", 403, f"{RECORD}/reveal", method="POST", head=("Origin: http://evil",)),
]

LOGINS = [
    login("from a foreign page", 403, f"token={OPS_TOKEN}".encode(), head=("Origin: https://evil.example",)),
    login("cross-site", 403, f"token={OPS_TOKEN}".encode(), head=("Sec-Fetch-Site: cross-site",)),
    login("a wrong token", 401, b"token=wrong-token", says=('name="token"',)),
    login("a script", 401, b"token=%3Cscript%3Ealert(1)%3C/script%3E"),
    login("lines for the head", 401, b"token=x%0d%0aSet-Cookie:%20a=b"),
    login("the role bofe", 403, f"token={BOFE_TOKEN}".encode(), says=('name="token"',)),
    login("JSON", 415, json.dumps({"token": OPS_TOKEN}).encode(), kind=JSON),
    login("too large", 413, b"token=" + b"x" * 17_000),
    login("a thousand fields", 400, b"&".join(b"a=%d" % n for n in range(1000))),
    login("no UTF-8", 400, b"token=%ff"),
    Hostile(name="login: the token in the query", status=200, target=f"/ops/login?token={OPS_TOKEN}"),
    *(
        Hostile(name=f"login: a link to {page}", status=303, target=f"/ops/login?next={page}", session=True, says=HOME)
        for page in ("//evil.example", "https:%2f%2fevil.example", "/%5Cevil.example", "%2f%2fevil", "/ops/api/status")
    ),
    *(
        Hostile(name=f"login: a cut line {page}", status=303, target=f"/ops/login?next={page}", session=True, says=HOME)
        for page in ("/ops/records%0d%0aSet-Cookie:%20a=b", "%09/ops/records", "/ops/records%00", "/ops/records%85")
    ),
    login("a wrong token with a page elsewhere", 401, b"token=wrong&next=%22%3E%3Cscript%3E//evil.example"),
    Hostile(name="logout by GET", status=405, target="/ops/logout", session=True, says=("Allow: POST",)),
]

QUERIES = [
    *(
        by_bearer(f"limit of {what}: {limit}", 422, f"/ops/api/{what}?limit={limit}", says=('"limit"',))
        for what in ("records", "conversations")
        for limit in ("1" + "0" * 30, "-1", "NaN", "0", "1001", "1e3", "0x10", "", "%00", "1;DROP")
    ),
    by_bearer("limit: twice", 422, "/ops/api/records?limit=1&limit=1000000"),
    by_bearer("cursor: JSON", 422, "/ops/api/records?cursor=eyJhdCI6IDB9"),
    by_bearer("cursor: bytes", 422, "/ops/api/records?cursor=%00%ff"),
    by_bearer("cursor: of another list", 422, "/ops/api/conversations?cursor=@CURSOR@"),
    by_bearer("cursor: of another filter", 422, "/ops/api/records?state=dead&cursor=@CURSOR@"),
    by_bearer("cursor: changed", 422, "/ops/api/records?cursor=@CHANGED_CURSOR@"),
    by_bearer("cursor: long", 422, "/ops/api/records?cursor=" + "A" * 1000),
    *(
        by_bearer(f"cursor: made up {n}: {what}", 422, f"/ops/api/{what}?cursor={cursor_after(place, what, *of)}")
        for n, place in enumerate((Place(at=-(2**63), id=DEAD), Place(at=0, id="\0"), Place(at=2**63 - 1, id=DEAD)))
        for what, of in (("records", (None,)), ("conversations", (None, None)))
    ),
    by_bearer("a line of 8 KiB", 414, "/ops/api/records?cursor=" + "A" * 8192),
    by_bearer("state: unknown", 422, "/ops/api/records?state=released"),
    by_bearer("state: SQL", 422, "/ops/api/records?state=dead'--"),
    by_bearer("state: a list", 422, "/ops/api/records?state[]=dead&state="),
    *(
        by_bearer(f"q: {q}", 422, f"/ops/api/conversations?q={q}")
        for q in ("%25", "_", "5c1e7a6e%25", "'%20OR%201=1--", "..", "%00", "(", "5c1e7a6e-_", "", "5" * 37)
    ),
    by_bearer("a script in a parameter nobody knows", 200, "/ops/api/records?x=%3Cscript%3E"),
]

ADDRESSES = [
    by_bearer("two slashes", 404, "//ops/api/status"),
    by_bearer("two slashes inside", 404, "/ops//api/status"),
    by_bearer("an encoded slash", 404, "/ops%2Fapi/status"),
    by_bearer("an encoded slash in an id", 404, f"/ops/api/records/..%2f{DEAD}"),
    by_bearer("dots", 404, "/livez/../ops/api/status"),
    by_bearer("dots out of the files", 404, "/ops/static/..%2f..%2fapp.py"),
    by_bearer("a slash at the end", 404, "/ops/api/status/"),
    by_bearer("other case", 404, "/OPS/api/status"),
    by_bearer("a parameter of the path", 404, "/ops/api/status;x=1"),
    by_bearer("no such address", 404, "/ops/api/tokens"),
    by_bearer("a NUL as id", 422, "/ops/api/records/%00"),
    by_bearer("an id of another form", 422, f"/ops/api/records/urn:uuid:{DEAD}"),
    by_bearer("an id with SQL", 422, "/ops/api/records/'%20OR%201=1"),
    by_bearer("an unknown id", 404, f"/ops/api/records/{DEAD.replace('9', '8')}"),
    by_bearer("reveal of an unknown id", 404, f"/ops/api/records/{CONVERSATION}/reveal", method="POST"),
    by_bearer("requeue of what is delivered", 409, f"/ops/api/records/{DELIVERED}/requeue", method="POST"),
    by_bearer("requeue of what is erased", 409, f"/ops/api/records/{ERASED}/requeue", method="POST"),
]

METHODS = [
    by_bearer("reveal by GET", 405, f"{RECORD}/reveal", says=("Allow: POST",)),
    by_bearer("requeue by GET", 405, f"{RECORD}/requeue", says=("Allow: POST",)),
    by_bearer("requeue of all by GET", 405, "/ops/api/records/requeue", says=("Allow: POST",)),
    by_bearer("reveal by HEAD", 405, f"{RECORD}/reveal", method="HEAD"),
    by_bearer("reveal by GET that calls itself POST", 405, f"{RECORD}/reveal", head=("X-HTTP-Method-Override: POST",)),
    by_bearer("OPTIONS", 405, "/ops/api/status", method="OPTIONS", says=("Allow: GET, HEAD",)),
    by_bearer("HEAD", 200, "/ops/api/status", method="HEAD"),
    by_bearer("DELETE of a record", 405, RECORD, method="DELETE"),
    by_bearer("PUT of the status", 405, "/ops/api/status", method="PUT"),
    by_bearer("TRACE", 405, "/ops/api/status", method="TRACE"),
]

BODIES = [
    requeue("no JSON", 400, b"{"),
    requeue("two reasons", 400, b'{"reason": "HTTP 422", "reason": "x"}'),
    requeue("deep", 400, b"[" * 16_000),
    requeue("another content type", 415, b'{"reason": "HTTP 422"}', kind="text/plain"),
    requeue("a form", 415, b"reason=HTTP+422", kind=FORM),
    requeue("a list", 422, b"[]"),
    requeue("no reason", 422, b"{}"),
    requeue("a number", 422, b'{"reason": 422}'),
    requeue("a long reason", 422, b'{"reason": "%s"}' % (b"x" * 201)),
    requeue("control characters", 202, b'{"reason": "HTTP 422\\r\\n\\u0000\\u001b[2J"}', says=('{"requeued":0}',)),
    requeue("a pattern", 202, b'{"reason": "HTTP 4%"}', says=('{"requeued":0}',)),
    requeue("half a character", 202, b'{"reason": "\\ud800"}', says=('{"requeued":0}',)),
    requeue("over 16 KiB", 413, b'{"reason": "HTTP 422"}'.ljust(16 * 1024 + 1)),
    by_bearer("reveal with a body over 16 KiB", 413, f"{RECORD}/reveal", method="POST", body=b"x" * 16_385),
]

ROWS = [*STRANGERS, *COOKIES, *FOREIGN_PAGES, *LOGINS, *QUERIES, *ADDRESSES, *METHODS, *BODIES]


def rows_with_scripts() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A conversation and its records, of which each text that may come from outside is a script."""
    event = {
        **json.loads(stored.EVENT.to_json()),
        "conversation_id": CONVERSATION,
        "subject": SCRIPT,
        "ani": SCRIPT,
        "wrapup_notes": SCRIPT,
        "queue_id": SCRIPT,
        "wrapup_code": SCRIPT,
        "user_id": SCRIPT,
    }
    names = FirstAttemptFacts(agent_name=SCRIPT, wrapup_name=SCRIPT).to_json()
    hostile = {"content": json.dumps(event), "names": names, "erased_at": None}
    refused = {"reason": f"refused with {SCRIPT}", "last_error": SCRIPT}
    records = [
        stored.dead_row(DEAD, CONVERSATION, **hostile | refused),
        stored.dead_row(ERASED, CONVERSATION, content=None, names=None, erased_at=stored.NOW),
        stored.entry_row(DELIVERED, CONVERSATION, **hostile),
    ]
    return [stored.conversation_row(CONVERSATION, owner=SCRIPT, channel_id=SCRIPT, outcome="logged")], records


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[Gateway]:
    running = start_gateway(tmp_path_factory.mktemp("hostile"), simulator.url)
    conversations, records = rows_with_scripts()
    with OperatorSession(f"sqlite:///{running.database}", SystemClock()) as session:
        session.write(lambda c: stored.put_conversations(c, *conversations))
        session.write(lambda c: stored.put_entries(c, *records))
        session.write(
            lambda c: stored.put(c, registration, {"conversation_id": CONVERSATION, "accepted_at": stored.NOW})
        )
    yield running
    assert running.stop() == 0


def guard_of(tokens: str = f"ops:{OPS_TOKEN}") -> Guard:
    return Guard(Secret.of(tokens, role_tokens), 0, SystemClock())


def forged(token: str = OPS_TOKEN, *, ago_ms: int = 0, seen_ago_ms: int = 0) -> str:
    """The cookie of a session that this token opened so long ago, and of a last request so long ago."""
    clock = FakeClock(SystemClock().now() - ago_ms)
    guard = guard_of(f"ops:{token}")
    sessions = Sessions(guard, Secret.of("any-secret"), clock)
    session = sessions.open(guard.identify(f"Bearer {token}", frozenset({"ops"})))
    clock.advance((ago_ms - seen_ago_ms) / 1000)
    return sessions.cookie(session)


def logged_in(gateway: Gateway) -> str:
    """The cookie of a new session."""
    response, _, _ = ask(gateway.port, sent(login("", 303, f"token={OPS_TOKEN}".encode()), {}), cut=False)
    assert response.status == 303
    return re.match(rf"{COOKIE}=([^;]+);", response.headers["Set-Cookie"])[1]  # type: ignore[index]


def word_of(cookie: str) -> str:
    session = Sessions(guard_of(), Secret.of("any-secret"), SystemClock()).read(cookie)
    assert session is not None
    return session.csrf


@pytest.fixture(scope="module")
def words(gateway: Gateway) -> dict[str, str]:
    """What stands for each ``@NAME@``."""
    cookie, other, gone = (logged_in(gateway) for _ in range(3))
    out = by_session("", 303, "/ops/logout", session=False, head=(f"Cookie: {COOKIE}={gone}", "X-CSRF-Token: @WORD@"))
    assert answer(gateway, out, {"WORD": word_of(gone)})[0] == 303
    _, body, _ = ask(gateway.port, sent(by_bearer("", 200, "/ops/api/records?limit=1"), {}), cut=False)
    cursor = json.loads(body)["next"]
    payload, _, signature = cookie.rpartition(".")
    as_issuer = {"id": "x", "opened": 0, "seen": 0, "ends": 2**52, "name": "admin", "caller": "00" * 32}
    key = guard_of().holders("ops")[0].credential
    return {
        "COOKIE": cookie,
        "WORD": word_of(cookie),
        "OTHER_WORD": word_of(other),
        "CUT": cookie[:-1],
        "CHANGED": ("A" if cookie[3] != "A" else "B").join((cookie[:3], cookie[4:])),
        "UNSIGNED": payload,
        "MIXED": f"{other.rpartition('.')[0]}.{signature}",
        "OTHER_KEY": str(serializer_of(b"another key").dumps({"id": "x", "opened": 0, "seen": 2**52, "ends": 2**52})),
        "OTHER_TOKEN": forged("a-token-that-is-not-configured"),
        "AS_ISSUER": str(serializer_of(key).dumps(as_issuer)),
        "IDLE": forged(ago_ms=IDLE_MS + 1000, seen_ago_ms=IDLE_MS + 1000),
        "OLD": forged(ago_ms=LIFE_MS + 1000),
        "LOGGED_OUT": gone,
        "CURSOR": cursor,
        "CHANGED_CURSOR": cursor.swapcase(),
    }


def sent(one: Hostile, words: dict[str, str]) -> bytes:
    lines = [f"{one.method} {one.target} HTTP/1.1", "Host: gateway", "Connection: close", *one.head]
    if one.session:
        lines.append(f"Cookie: {COOKIE}=@COOKIE@")
    if one.token is not None:
        lines.append(f"Authorization: Bearer {one.token}")
    if one.kind is not None:
        lines.append(f"Content-Type: {one.kind}")
    body = filled(one.body, words)
    if one.method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body)}")
    return filled("\r\n".join([*lines, "", ""]).encode("latin-1"), words) + body


def filled(text: bytes, words: dict[str, str]) -> bytes:
    for name, value in words.items():
        text = text.replace(f"@{name}@".encode(), value.encode())
    return text


def answer(gateway: Gateway, one: Hostile, words: dict[str, str]) -> tuple[int, Any, bytes]:
    """The status, the headers, and all that came."""
    response, _, came = ask(gateway.port, sent(one, words), cut=False)
    return response.status, response.headers, came


def kept(gateway: Gateway) -> list[Any]:
    """All records, and all lines of timelines."""
    with sqlite3.connect(f"file:{gateway.database}?mode=ro", uri=True) as database:
        found = [database.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in ("entry", "transition")]
    database.close()
    return found


@pytest.mark.parametrize("one", ROWS, ids=lambda one: one.name)
def test_a_hostile_request_is_answered_as_expected(gateway: Gateway, words: dict[str, str], one: Hostile) -> None:
    before = kept(gateway)

    status, headers, came = answer(gateway, one, words)

    assert status == one.status
    assert all(text.encode() in came for text in one.says), came
    assert not [word for word in INTERNALS if word in came.decode("latin-1").lower()]
    assert SCRIPT.encode() not in came
    assert kept(gateway) == before
    if status not in (414, 431) and not one.target.startswith(("/livez", "/OPS")):
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
    if status in (401, 403) and not one.target.startswith("/ops/login"):
        assert headers["Content-Type"] == "application/problem+json"
    assert headers["Set-Cookie"] is None


def test_the_table_is_long_and_has_each_row_once() -> None:
    assert len(ROWS) >= 100
    assert sorted({one.name for one in ROWS}) == sorted(one.name for one in ROWS)


def test_the_same_requests_without_what_is_wrong_are_served(gateway: Gateway, words: dict[str, str]) -> None:
    """So the rows above are refused for what they say."""
    good = [
        by_session("the word", 200, head=("X-CSRF-Token: @WORD@",)),
        by_session("the word in a form", 200, kind=FORM, body=b"csrf=@WORD@"),
        by_session("our own page", 200, head=("X-CSRF-Token: @WORD@", "Origin: http://gateway")),
        by_session("same-origin", 200, head=("X-CSRF-Token: @WORD@", "Sec-Fetch-Site: same-origin")),
        by_bearer("a cursor", 200, "/ops/api/records?cursor=@CURSOR@"),
        Hostile(name="a session", status=200, session=True),
        Hostile(name="a forged one", status=200, head=(f"Cookie: {COOKIE}={forged()}",)),
        Hostile(name="an hour old", status=200, head=(f"Cookie: {COOKIE}={forged(ago_ms=3_600_000)}",)),
    ]

    assert [answer(gateway, one, words)[0] for one in good] == [one.status for one in good]


def test_after_ten_wrong_tokens_wrong_ones_must_wait_and_the_right_one_opens(gateway: Gateway) -> None:
    wrong = login("wrong", 401, b"token=wrong-token", head=("X-Forwarded-For: 192.0.2.7",))
    right = login("right", 303, f"token={OPS_TOKEN}".encode(), head=("X-Forwarded-For: 192.0.2.7",))

    assert [answer(gateway, wrong, {})[0] for _ in range(10)] == [401] * 10
    status, headers, _ = answer(gateway, wrong, {})
    assert status == 429
    assert 1 <= int(headers["Retry-After"]) <= 60
    assert answer(gateway, right, {})[0] == 303


@pytest.mark.parametrize(
    "target",
    [
        *("/ops/api/records", "/ops/api/conversations", f"/ops/api/conversations/{CONVERSATION}"),
        *(RECORD, f"/ops/api/records/{DELIVERED}"),
    ],
)
def test_a_script_in_what_is_stored_is_shown_by_no_json_as_a_page(gateway: Gateway, target: str) -> None:
    one = by_bearer("", 200, target, head=("Accept: text/html",))

    status, headers, came = answer(gateway, one, {})

    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    records = json.loads(came.partition(b"\r\n\r\n")[2])
    assert target != "/ops/api/records" or records["items"][0]["lastError"] in (None, "other", "HTTP 422")


@pytest.mark.parametrize(
    ("target", "method"),
    [
        *(("/ops/", "GET"), ("/ops/conversations", "GET"), (f"/ops/conversations/{CONVERSATION}", "GET")),
        *(("/ops/records", "GET"), (f"/ops/records/{DEAD}", "GET"), (f"/ops/records/{DELIVERED}", "GET")),
        *(("/ops/dead-letters", "GET"), (f"/ops/records/{DEAD}/reveal", "POST")),
        *(("/ops/conversations?q=%3Cscript%3Ealert(1)%3C/script%3E", "GET"), ("/ops/%3Cscript%3E", "GET")),
    ],
)
def test_a_page_escapes_what_is_stored_and_what_is_asked_for(
    gateway: Gateway, words: dict[str, str], target: str, method: str
) -> None:
    word = ("X-CSRF-Token: @WORD@",)
    one = Hostile(name="", status=200, target=target, method=method, session=True, head=("Accept: text/html", *word))

    status, headers, came = answer(gateway, one, words)

    page = came.partition(b"\r\n\r\n")[2].lower()
    assert status in (200, 404, 422)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"<script>" not in page
    assert b"<img src=x" not in page
    assert b"onerror=" not in re.sub(rb"&lt;img src=x onerror=", b"", page)
    assert method == "GET" or b"&lt;script&gt;" in page


def test_what_is_masked_shows_nothing_of_a_script_and_a_reveal_is_noted(gateway: Gateway) -> None:
    masked = answer(gateway, by_bearer("", 200, RECORD), {})[2]
    before = len(kept(gateway)[1])
    revealed = answer(gateway, by_bearer("", 200, f"{RECORD}/reveal", method="POST"), {})[2]

    record = json.loads(masked.partition(b"\r\n\r\n")[2])["record"]
    hidden = (record["customerHandle"], record["title"], record["body"]["agentName"], record["body"]["wrapUpNotes"])
    assert set(hidden) == {"•••"}
    assert json.loads(revealed.partition(b"\r\n\r\n")[2])["record"]["title"] == SCRIPT
    assert len(kept(gateway)[1]) == before + 1
    assert [line for line in gateway.log() if line["event"] == "record_revealed"][-1]["operator"].startswith("ops ")


def test_after_all_that_nothing_is_broken(gateway: Gateway) -> None:
    status, _, came = answer(gateway, by_bearer("", 200, "/ops/api/status"), {})

    assert status == 200
    assert json.loads(came.partition(b"\r\n\r\n")[2])["promise"]["unaccounted"] == 0
    assert OPS_TOKEN not in (Path(gateway.folder) / "gateway.log").read_text()
    assert_quick(gateway)
