"""How does an operator log in and out, and who does not get in?"""

import re
from html import unescape
from typing import cast
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from genesys_gateway.runtime.sampled_log import PERIOD_SECONDS, SOME, flush_ended
from genesys_gateway.web.auth import Guard
from genesys_gateway.web.jwt import Caller, JwtVerifier
from genesys_gateway.web.ops.access import SESSIONS
from genesys_gateway.web.ops.login import FAILED_LOGINS, FailedLogins
from genesys_gateway.web.ops.session import COOKIE, IDLE_MS, Sessions
from genesys_gateway.web.routes import GUARD
from tests.doubles.log_lines import configured, logging_restored, written
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import CONVERSATION
from tests.doubles.web import BOFE_TOKEN, OPS_TOKEN, FakeGateway, bearer

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
#: No address of these is a page that a login may lead to.
ELSEWHERE = (
    *("https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example"),
    *("javascript:alert(1)", "data:text/html,x", "evil.example", "http:/ops/records", "/ops//evil.example"),
    *("//ops/records", "/ops/records//evil.example", "/ops/../evil", "/ops/%2e%2e/evil", "/ops/%2f%2fevil.example"),
    *("/ops/records\r\nSet-Cookie: a=b", "/ops/records\n", "\t/ops/records", " /ops/records", "/ops/records\0"),
    *("/ops/records@evil.example", "/ops/records#x", "/ops/records?q=//evil.example", "/ops/records?q=<script>"),
    *("/ops/login", "/ops/login?next=/ops/login", "/ops/logout", "/ops/stream", "/ops/sections", "/ops/api/status"),
    *("/ops/records/requeue", f"/ops/records/{CONVERSATION}/reveal", "/ops/dead-letters/requeue", "/livez", "/", ""),
    *("/OPS/records", "/ops/records?q=" + "a" * 600, "/ops/records/" + "a" * 600, "/ops/reco\u0433ds"),
)


def log_in(client: FlaskClient, token: str = OPS_TOKEN, **headers: str) -> TestResponse:
    return client.post("/ops/login", data={"token": token}, headers=BROWSER | headers)


def cookie_of(response: TestResponse) -> str:
    (cookie,) = response.headers.getlist("Set-Cookie")
    return cookie


def test_the_form_is_shown_to_anybody(client: FlaskClient) -> None:
    shown = client.get("/ops/login")

    assert shown.status_code == 200
    assert 'name="token"' in shown.text
    assert re.search('<input name="username"[^>]* autocomplete="username" value="ops" hidden>', shown.text)
    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert shown.headers["Cache-Control"] == "no-store"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Referrer-Policy"] == "same-origin"


def test_a_token_of_an_operator_opens_a_session(client: FlaskClient) -> None:
    answer = log_in(client)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/ops/")
    cookie = cookie_of(answer)
    assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "Path=/ops", "SameSite=Strict"}
    assert OPS_TOKEN not in cookie
    again = client.get("/ops/login")
    assert (again.status_code, again.headers["Location"]) == (303, "/ops/")


@pytest.mark.parametrize("said", ["https", "HTTPS", "https, http"])
def test_over_https_the_cookie_is_secure(client: FlaskClient, said: str) -> None:
    assert "Secure" in cookie_of(log_in(client, **{"X-Forwarded-Proto": said}))
    assert "Secure" not in cookie_of(log_in(client, **{"X-Forwarded-Proto": "http"}))


@pytest.mark.parametrize(("token", "status"), [("", 401), ("unknown-token", 401), (BOFE_TOKEN, 403)])
def test_any_other_token_shows_the_form_again(client: FlaskClient, token: str, status: int) -> None:
    answer = log_in(client, token)

    assert answer.status_code == status
    assert 'name="token"' in answer.text
    assert "Set-Cookie" not in answer.headers
    assert not token or token not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://[evil"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_the_page_of_another_site_can_not_log_in(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = log_in(client, **headers)

    assert answer.status_code == 403
    assert answer.content_type == "text/html; charset=utf-8"
    assert "another site" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost"},
        {"Origin": "https://gateway.bank", "X-Forwarded-Host": "gateway.bank"},
        {"Origin": "https://gateway.bank", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_our_own_page_can(client: FlaskClient, headers: dict[str, str]) -> None:
    assert log_in(client, **headers).status_code == 303


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"token=" + b"x" * 20_000, "application/x-www-form-urlencoded", 413),
        (b'{"token": "x"}', "application/json", 415),
        (b"token=x", "", 415),
        (b"token=%ff", "application/x-www-form-urlencoded", 400),
        (b"token=\xff", "application/x-www-form-urlencoded", 400),
        (b"a=&" * 21 + b"token=x", "application/x-www-form-urlencoded", 400),
    ],
)
def test_what_is_no_form_is_refused(client: FlaskClient, body: bytes, content_type: str, status: int) -> None:
    answer = client.post("/ops/login", data=body, content_type=content_type)

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"


def test_logins_are_counted_by_outcome(client: FlaskClient, gateway: FakeGateway) -> None:
    for token in (OPS_TOKEN, BOFE_TOKEN, "wrong-token", "wrong-token"):
        log_in(client, token)

    counted = {
        outcome: gateway.metrics.registry.get_sample_value("genesys_gateway_ops_logins_total", {"outcome": outcome})
        for outcome in ("ok", "wrong_role", "wrong_token")
    }
    assert counted == {"ok": 1, "wrong_role": 1, "wrong_token": 2}


def test_after_ten_wrong_tokens_in_a_minute_wrong_ones_must_wait_and_the_right_one_opens(client: FlaskClient) -> None:
    assert [log_in(client, "wrong-token").status_code for _ in range(10)] == [401] * 10

    answers = [log_in(client, "wrong-token"), log_in(client, BOFE_TOKEN)]

    assert [one.status_code for one in answers] == [429, 429]
    assert all(1 <= int(one.headers["Retry-After"]) <= 60 for one in answers)
    assert all('name="token"' in one.text for one in answers)
    assert log_in(client, "wrong-token", **{"X-Forwarded-For": "10.0.0.1, 10.0.0.2"}).status_code == 401
    assert log_in(client).status_code == 303


def test_wrong_tokens_without_number_are_some_lines_of_the_log_and_all_are_counted(
    client: FlaskClient, clock: FakeClock
) -> None:
    with logging_restored():
        stream = configured()
        client.application.extensions[FAILED_LOGINS] = FailedLogins(clock)
        for number in range(100):
            log_in(client, "wrong-token", **{"X-Forwarded-For": f"192.0.2.{number}"})
        clock.advance(PERIOD_SECONDS)
        flush_ended()
        lines = [line for line in written(stream) if line["event"] == "login_failed"]

    assert len(lines) == SOME + 1
    assert sum(1 + line.get("repeated", 0) for line in lines) == 100


def test_wrong_tokens_are_forgotten_after_a_minute(clock: FakeClock) -> None:
    failed = FailedLogins(clock)
    for _ in range(10):
        assert failed.wait("here") == 0
        failed.note("here")
        clock.advance(1)

    assert failed.wait("here") == 50
    assert failed.wait("elsewhere") == 0
    clock.advance(50)
    assert failed.wait("here") == 0


def test_a_login_and_a_wrong_one_are_logged_without_the_token(client: FlaskClient) -> None:
    with logging_restored():
        stream = configured()
        log_in(client, "wrong-token")
        log_in(client)

    lines = written(stream)
    assert [(line["event"], line.get("reason"), line["address"]) for line in lines] == [
        ("login_failed", "token", "127.0.0.1"),
        ("logged_in", None, "127.0.0.1"),
    ]
    assert "-token" not in stream.getvalue()
    assert lines[1]["operator"].startswith("ops ")


def word(client: FlaskClient) -> str:
    """The word of the client's session, which its pages know."""
    cookie = client.get_cookie(COOKIE, path="/ops")
    assert cookie is not None
    session = client.application.extensions[SESSIONS].read(cookie.value)
    assert session is not None
    return str(session.csrf)


def test_a_logout_ends_the_session_also_for_copies_of_its_cookie(client: FlaskClient) -> None:
    copy = cookie_of(log_in(client)).partition(";")[0]

    answer = client.post("/ops/logout", data={"csrf": word(client)}, headers=BROWSER)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/ops/login")
    assert "Max-Age=0" in cookie_of(answer)
    thief = client.application.test_client(use_cookies=False)
    assert thief.get("/ops/login", headers={"Cookie": copy}).status_code == 200


def test_a_logout_takes_the_cookie_however_long_ago_it_was_written(
    client: FlaskClient, gateway: FakeGateway, clock: FakeClock
) -> None:
    guard = client.application.extensions[GUARD]
    client.application.extensions[SESSIONS] = Sessions(guard, gateway.settings.genesys_client_secret, clock)
    log_in(client)
    said = word(client)
    clock.advance(40)

    answer = client.post("/ops/logout", data={"csrf": said}, headers=BROWSER)

    assert "Max-Age=0" in cookie_of(answer)
    assert client.get_cookie(COOKIE, path="/ops") is None


@pytest.mark.parametrize("sent", [{}, {"csrf": ""}, {"csrf": "0" * 32}, {"csrf": "é"}])
def test_a_logout_without_the_page_s_word_is_403(client: FlaskClient, sent: dict[str, str]) -> None:
    log_in(client)

    assert client.post("/ops/logout", data=sent).status_code == 403
    assert client.post("/ops/logout", headers={"X-CSRF-Token": sent.get("csrf", "")}).status_code == 403
    assert client.get("/ops/login").status_code == 303
    assert client.post("/ops/logout", headers={"X-CSRF-Token": word(client)}).status_code == 303


def test_a_logout_without_a_session(client: FlaskClient) -> None:
    assert client.post("/ops/logout").status_code == 401
    sent_away = client.post("/ops/logout", headers=BROWSER)
    assert (sent_away.status_code, sent_away.headers["Location"]) == (303, "/ops/login")
    assert client.post("/ops/logout", headers=bearer(OPS_TOKEN)).status_code == 303
    assert client.post("/ops/logout", headers=bearer(OPS_TOKEN) | {"Origin": "http://evil"}).status_code == 403


@pytest.mark.parametrize(
    "page",
    [
        *("/ops/conversations", "/ops/records", "/ops/dead-letters", "/ops/runbook"),
        f"/ops/conversations/{CONVERSATION}",
        f"/ops/records/{CONVERSATION}",
        "/ops/conversations?q=5c1e&state=closed&cursor=a_-9&outcome=%3Cb%3E",
    ],
)
def test_a_page_that_needs_a_login_is_shown_after_it(client: FlaskClient, page: str) -> None:
    sent_away = client.get(page, headers=BROWSER)
    assert sent_away.status_code == 303
    assert urlsplit(sent_away.location).path == "/ops/login"

    form = client.get(sent_away.location, headers=BROWSER).text
    (kept,) = re.findall('name="next" value="([^"]*)"', form)
    answer = client.post("/ops/login", data={"token": OPS_TOKEN, "next": unescape(kept)}, headers=BROWSER)

    assert (answer.status_code, answer.location) == (303, page)


def test_a_wrong_token_does_not_lose_the_page_and_an_open_session_needs_no_token(client: FlaskClient) -> None:
    wrong = client.post("/ops/login", data={"token": "wrong", "next": "/ops/records"}, headers=BROWSER)
    assert 'name="next" value="/ops/records"' in wrong.text

    log_in(client)
    assert client.get("/ops/login?next=/ops/records").location == "/ops/records"


@pytest.mark.parametrize(
    ("sent", "page"),
    [
        (f"records/{CONVERSATION}/reveal", f"/ops/records/{CONVERSATION}"),
        (f"records/{CONVERSATION}/requeue", f"/ops/records/{CONVERSATION}"),
        ("dead-letters/requeue", "/ops/dead-letters"),
        ("logout", None),
    ],
)
def test_what_a_form_sent_too_late_leads_over_the_login_to_its_page(
    client: FlaskClient, sent: str, page: str | None
) -> None:
    answer = client.post(f"/ops/{sent}", headers=BROWSER)

    assert (answer.status_code, answer.location) == (303, "/ops/login" + ("" if page is None else f"?next={page}"))


@pytest.mark.parametrize("page", ELSEWHERE)
def test_a_login_leads_to_no_other_address(client: FlaskClient, page: str) -> None:
    assert 'name="next"' not in client.get("/ops/login", query_string={"next": page}).text

    answer = client.post("/ops/login", data={"token": OPS_TOKEN, "next": page}, headers=BROWSER)
    assert (answer.status_code, answer.location) == (303, "/ops/")
    assert client.get("/ops/login", query_string={"next": page}).location == "/ops/"


def test_a_session_that_has_ended_is_told_from_none(
    client: FlaskClient, gateway: FakeGateway, clock: FakeClock
) -> None:
    guard = client.application.extensions[GUARD]
    client.application.extensions[SESSIONS] = Sessions(guard, gateway.settings.genesys_client_secret, clock)
    assert "has ended" not in client.get("/ops/login").text
    log_in(client)
    clock.advance(IDLE_MS / 1000)

    sent_away = client.get("/ops/dead-letters", headers=BROWSER)

    assert sent_away.location == "/ops/login?next=/ops/dead-letters"
    assert "Your session has ended. Log in again." in client.get(sent_away.location).text
    assert "has ended" not in log_in(client, "wrong-token").text
    log_in(client)
    client.post("/ops/logout", data={"csrf": word(client)})
    assert "has ended" not in client.get("/ops/login").text


def test_a_problem_is_a_page_for_a_browser_and_json_for_others(client: FlaskClient) -> None:
    for address, accept, kind in (
        ("/ops/nowhere", "text/html", "text/html; charset=utf-8"),
        ("/ops/nowhere", "*/*", "application/problem+json"),
        ("/ops/api/nowhere", "text/html", "application/problem+json"),
    ):
        answer = client.get(address, headers={"Accept": accept})
        assert (answer.status_code, answer.content_type) == (404, kind)
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("headers", [{}, BROWSER, {"X-Forwarded-Proto": "https", "Host": "evil.example"}])
def test_the_address_without_a_slash_leads_to_the_one_with(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.get("/ops", headers=headers)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/ops/")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.post("/ops").status_code == 405
    assert "Content-Security-Policy" not in client.get("/opsx").headers


def test_a_login_counts_against_the_rate_of_its_credential() -> None:
    client = create_app(FakeGateway(GATEWAY_CLIENT_RATE_PER_MINUTE="1")).test_client()

    assert [log_in(client).status_code for _ in range(2)] == [303, 429]


class OneCaller:
    """Reads the token ``jwt-of-maria`` as that of Maria, who has these roles."""

    def __init__(self, *roles: str, ends_at: int) -> None:
        self._caller = Caller(roles=frozenset(roles), subject="maria\r\n@bank", ends_at=ends_at)

    def read(self, token: bytes) -> Caller | None:
        return self._caller if token == b"jwt-of-maria" else None


def client_of_issuer(gateway: FakeGateway, clock: FakeClock, *roles: str) -> FlaskClient:
    """The client of an application that knows no tokens, but an issuer."""
    app = create_app(gateway)
    verifier = cast(JwtVerifier, OneCaller(*roles, ends_at=clock.now() + 60_000))
    guard = app.extensions[GUARD] = Guard(None, 0, clock, verifier)
    app.extensions[SESSIONS] = Sessions(guard, gateway.settings.genesys_client_secret, clock)
    return app.test_client()


def test_a_jwt_opens_a_session_that_ends_with_it(gateway: FakeGateway, clock: FakeClock) -> None:
    client = client_of_issuer(gateway, clock, "ops")
    answer = log_in(client, "jwt-of-maria")

    assert answer.status_code == 303
    assert "jwt-of-maria" not in cookie_of(answer)
    cookie = client.get_cookie(COOKIE, path="/ops")
    assert cookie is not None
    session = client.application.extensions[SESSIONS].read(cookie.value)
    assert session.holder.name == "maria\\u000d\\u000a@bank"
    assert client.get("/ops/api/status").status_code == 200
    clock.advance(60)
    assert client.get("/ops/api/status").status_code == 401


def test_a_jwt_of_another_role_opens_none(gateway: FakeGateway, clock: FakeClock) -> None:
    assert log_in(client_of_issuer(gateway, clock, "bofe"), "jwt-of-maria").status_code == 403
