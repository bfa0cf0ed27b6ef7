"""Bad requests over real HTTP: the right status, a problem without internals, nothing stored."""

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest

from tests.flow.gateways import assert_quick
from tests.harness.gateway import BACKOFFICE_TOKEN, BOFE_TOKEN, OPS_TOKEN, Gateway

ADDRESS = "/customers/supportInteraction"
CUSTOMER = "11111111-2222-3333-4444-555555555555"
INTERACTION = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
GOOD = json.dumps({"customerId": CUSTOMER, "interactionId": INTERACTION}).encode()
RESULTS = "/customers/supportResult"
RESULT = {
    "conversationId": INTERACTION,
    "eventTime": "2026-11-22T10:00:00Z",
    "direction": "inbound",
    "mediaType": "voice",
    "ani": "+639171234567",
    "wrapupCode": "ININ-WRAP-UP-TIMEOUT",
    "userId": CUSTOMER,
}
GOOD_RESULT = json.dumps(RESULT).encode()
KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """One bad request."""

    name: str
    status: int
    sent: bytes
    #: close our sending side after it, like a client that dies in the middle of a body
    cut: bool = False
    #: texts that the head or the body of the answer must contain
    says: tuple[str, ...] = field(default=())


def request(
    target: str = ADDRESS,
    body: bytes = GOOD,
    *,
    method: str = "POST",
    token: str | None = BOFE_TOKEN,
    kind: str | None = "application/json",
    head: tuple[str, ...] = (),
    length: str | None = "",
    version: str = "HTTP/1.1",
) -> bytes:
    """A request as bytes. A length of "" sends the right Content-Length, None sends none."""
    lines = [f"{method} {target} {version}", "Host: gateway", "Connection: close", *head]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if kind is not None:
        lines.append(f"Content-Type: {kind}")
    if length is not None:
        lines.append(f"Content-Length: {length or len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n", head: tuple[str, ...] = ()) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end
    return request(body=body, length=None, head=("Transfer-Encoding: chunked", *head))


def pair(customer: object = CUSTOMER, interaction: object = INTERACTION) -> bytes:
    return json.dumps({"customerId": customer, "interactionId": interaction}).encode()


def id_in_path(text: str, token: str = BOFE_TOKEN) -> bytes:
    return request(f"{ADDRESS}/{text}", b"", method="GET", token=token, kind=None, length=None)


ADDRESSES = [
    Bad(name="no such address", status=404, sent=request("/nowhere", token=None)),
    Bad(name="the root", status=404, sent=request("/", b"", method="GET", token=None)),
    Bad(name="a slash too many at the end", status=404, sent=request(f"{ADDRESS}/", method="POST")),
    Bad(name="a slash too many at the start", status=404, sent=request(f"/{ADDRESS}")),
    Bad(name="other case", status=404, sent=request("/Customers/SupportInteraction")),
    Bad(name="dots in the path", status=404, sent=request("/livez/../customers/supportInteraction")),
    Bad(name="an address of static files", status=404, sent=request("/static/../app.py", b"", method="GET")),
    Bad(name="an id with a slash in it", status=404, sent=id_in_path("aaaaaaaa%2Fbbbb")),
    Bad(name="known id form, never registered", status=404, sent=id_in_path(INTERACTION)),
]

METHODS = [
    Bad(name="GET without an id", status=405, sent=request(method="GET", token=None), says=("Allow: POST",)),
    Bad(name="HEAD without an id", status=405, sent=request(method="HEAD", token=None), says=("Allow: POST",)),
    Bad(name="OPTIONS", status=405, sent=request(method="OPTIONS", token=None), says=("Allow: POST",)),
    Bad(name="PUT", status=405, sent=request(method="PUT"), says=("Allow: POST",)),
    Bad(name="DELETE of an id", status=405, sent=request(f"{ADDRESS}/{INTERACTION}", method="DELETE")),
    Bad(name="POST to livez", status=405, sent=request("/livez"), says=("Allow: GET, HEAD",)),
    Bad(name="TRACE", status=405, sent=request(method="TRACE", token=None)),
    Bad(name="an invented method", status=405, sent=request(method="BREW")),
]

CREDENTIALS = [
    Bad(name="no credentials", status=401, sent=request(token=None), says=("WWW-Authenticate: Bearer",)),
    Bad(name="an empty token", status=401, sent=request(token="")),
    Bad(name="an unknown token", status=401, sent=request(token="unknown-token-for-tests")),
    Bad(name="a token cut short", status=401, sent=request(token=BOFE_TOKEN[:-1])),
    Bad(name="a token in other case", status=401, sent=request(token=BOFE_TOKEN.upper())),
    Bad(name="role and token", status=401, sent=request(token=f"bofe:{BOFE_TOKEN}")),
    Bad(name="not ASCII", status=401, sent=request(token="\xe4\xf6\xfc")),
    Bad(name="Basic", status=401, sent=request(token=None, head=(f"Authorization: Basic {BOFE_TOKEN}",))),
    Bad(name="two tokens", status=401, sent=request(head=("Authorization: Bearer other",))),
    Bad(name="token in the query", status=401, sent=request(f"{ADDRESS}?access_token={BOFE_TOKEN}", token=None)),
    Bad(name="credentials before the body", status=401, sent=request(token=None, body=b"{" * 20 * KIB, kind=None)),
    Bad(name="credentials before the id", status=401, sent=id_in_path("nonsense", token="unknown")),
    Bad(name="role ops registers", status=403, sent=request(token=OPS_TOKEN)),
    Bad(name="role backoffice registers", status=403, sent=request(token=BACKOFFICE_TOKEN)),
    Bad(name="role backoffice reads", status=403, sent=id_in_path(INTERACTION, token=BACKOFFICE_TOKEN)),
]

SIZES = [
    Bad(name="a byte over 16 KiB", status=413, sent=request(body=GOOD.ljust(16 * KIB + 1))),
    Bad(name="1 MiB", status=413, sent=request(body=GOOD.ljust(KIB * KIB))),
    Bad(name="too long and not JSON", status=413, sent=request(body=b"x" * 17 * KIB, kind="text/plain")),
    Bad(name="a byte over in chunks", status=413, sent=chunked(GOOD, b" " * (16 * KIB + 1 - len(GOOD)))),
    Bad(name="1 MiB in chunks", status=413, sent=chunked(*[b" " * 64 * KIB] * 16)),
    Bad(name="a length that is a lie", status=413, sent=request(length="99999999999")),
]

TYPES = [
    Bad(name="no content type", status=415, sent=request(kind=None)),
    Bad(name="text", status=415, sent=request(kind="text/plain")),
    Bad(name="a form", status=415, sent=request(kind="application/x-www-form-urlencoded")),
    Bad(name="almost JSON", status=415, sent=request(kind="application/jsonp")),
    Bad(name="JSON in UTF-16", status=415, sent=request(kind="application/json; charset=utf-16")),
    Bad(name="nonsense", status=415, sent=request(kind=";;;")),
]

SYNTAX = [
    Bad(name="empty", status=400, sent=request(body=b"")),
    Bad(name="no body at all", status=400, sent=request(body=b"", length=None)),
    Bad(name="spaces", status=400, sent=request(body=b"   ")),
    Bad(name="half an object", status=400, sent=request(body=GOOD[:-1])),
    Bad(name="two objects", status=400, sent=request(body=GOOD + GOOD)),
    Bad(name="single quotes", status=400, sent=request(body=GOOD.replace(b'"', b"'"))),
    Bad(name="a comma too many", status=400, sent=request(body=GOOD[:-1] + b",}")),
    Bad(name="a byte order mark", status=400, sent=request(body=b"\xef\xbb\xbf" + GOOD)),
    Bad(name="UTF-16 bytes", status=400, sent=request(body=GOOD.decode().encode("utf-16"))),
    Bad(name="bad UTF-8", status=400, sent=request(body=GOOD[:-1] + b',"note":"\xff\xfe"}')),
    Bad(name="a surrogate in UTF-8", status=400, sent=request(body=GOOD[:-1] + b',"note":"\xed\xa0\x80"}')),
    Bad(name="NaN", status=400, sent=request(body=GOOD[:-1] + b',"note":NaN}')),
    Bad(name="infinity", status=400, sent=request(body=GOOD[:-1] + b',"note":-Infinity}')),
    Bad(name="a raw NUL", status=400, sent=request(body=GOOD[:-1] + b',"note":"\x00"}')),
    Bad(name="the same key twice", status=400, sent=request(body=GOOD[:-1] + b"," + GOOD[1:])),
    Bad(name="deep lists", status=400, sent=request(body=b"[" * 16 * KIB)),
    Bad(name="deep objects", status=400, sent=request(body=b'{"a":' * 3000 + b"1" + b"}" * 600)),
    Bad(name="a number of 10,000 digits", status=400, sent=request(body=b"1" * 10_000)),
    Bad(name="cut in the middle", status=400, sent=request(body=GOOD[:50], length=str(len(GOOD))), cut=True),
    Bad(name="a chunk cut in the middle", status=400, sent=chunked(GOOD, end=b"ff\r\nabc"), cut=True),
    Bad(name="a chunk size that is none", status=400, sent=chunked(GOOD, end=b"xyz\r\n\r\n")),
    Bad(name="a chunk longer than it says", status=400, sent=chunked(end=b"2\r\n" + GOOD + b"\r\n0\r\n\r\n")),
]

SCHEMA = [
    Bad(name="a list", status=422, sent=request(body=b"[]")),
    Bad(name="null", status=422, sent=request(body=b"null")),
    Bad(name="a string", status=422, sent=request(body=b'"x"')),
    Bad(name="a number", status=422, sent=request(body=b"1e999")),
    Bad(name="an object in a list", status=422, sent=request(body=b"[" + GOOD + b"]")),
    Bad(name="no fields", status=422, sent=request(body=b"{}"), says=("customerId", "interactionId")),
    Bad(name="no customer", status=422, sent=request(body=b'{"interactionId":"%s"}' % INTERACTION.encode())),
    Bad(name="other spelling", status=422, sent=request(body=GOOD.replace(b"customerId", b"customerID"))),
    *[
        Bad(name=f"customer {value!r}", status=422, sent=request(body=pair(customer=value)), says=("customerId",))
        for value in (None, True, 1, 1.5, [CUSTOMER], {"id": CUSTOMER}, "", "\x00", "\ud800")
    ],
    *[
        Bad(name=f"interaction {value!r}", status=422, sent=request(body=pair(interaction=value)))
        for value in (
            f"{{{INTERACTION}}}",
            f"urn:uuid:{INTERACTION}",
            INTERACTION.replace("-", ""),
            f" {INTERACTION}",
            f"{INTERACTION}\n",
            f"{INTERACTION}\x00",
            INTERACTION[:-1],
            f"{INTERACTION}0",
            INTERACTION.replace("a", "g"),
            INTERACTION.replace("a", "\uff41"),
            INTERACTION.replace("-", "\u2010"),
            "aaaaaaaabbbb-4ccc-8ddd-eeeeeeeeeeee-",
            "v2.system.socket_closing",
            "x" * 15 * KIB,
        )
    ],
    Bad(name="path: no UUID", status=422, sent=id_in_path("nonsense"), says=("interactionId",)),
    Bad(name="path: braces", status=422, sent=id_in_path(f"%7B{INTERACTION}%7D")),
    Bad(name="path: NUL", status=422, sent=id_in_path(f"{INTERACTION}%00")),
    Bad(name="path: line break", status=422, sent=id_in_path(f"{INTERACTION}%0A")),
    Bad(name="path: bad UTF-8", status=422, sent=id_in_path("%ff%fe")),
    Bad(name="path: no dashes", status=422, sent=id_in_path(INTERACTION.replace("-", ""))),
    Bad(name="path: SQL", status=422, sent=id_in_path("'%20OR%201=1--")),
]


def result(body: bytes = GOOD_RESULT, *, token: str | None = BACKOFFICE_TOKEN, **how: Any) -> bytes:
    """A supportResult request."""
    return request(RESULTS, body, token=token, **how)


def told(**changed: object) -> bytes:
    """A supportResult request with some fields changed."""
    return result(json.dumps(RESULT | changed).encode())


SUPPORT_RESULTS = [
    Bad(name="result: GET", status=405, sent=result(method="GET"), says=("Allow: POST",)),
    Bad(name="result: an id in the path", status=404, sent=request(f"{RESULTS}/{INTERACTION}", token=BACKOFFICE_TOKEN)),
    Bad(name="result: no credentials", status=401, sent=result(token=None), says=("WWW-Authenticate: Bearer",)),
    Bad(name="result: role bofe", status=403, sent=result(token=BOFE_TOKEN)),
    Bad(name="result: role ops", status=403, sent=result(token=OPS_TOKEN)),
    Bad(name="result: a role before the body", status=403, sent=result(b"{" * 20 * KIB, token=BOFE_TOKEN)),
    Bad(name="result: a byte over 16 KiB", status=413, sent=result(GOOD_RESULT.ljust(16 * KIB + 1))),
    Bad(name="result: 16 KiB and no more, of a bad id", status=422, sent=told(userId="", note="x" * 15 * KIB)),
    Bad(name="result: a form", status=415, sent=result(kind="application/x-www-form-urlencoded")),
    Bad(name="result: the same key twice", status=400, sent=result(GOOD_RESULT[:-1] + b"," + GOOD_RESULT[1:])),
    Bad(name="result: a raw NUL", status=400, sent=result(GOOD_RESULT.replace(b"+639", b"\x00639"))),
    Bad(name="result: NaN", status=400, sent=result(GOOD_RESULT[:-1] + b',"note":NaN}')),
    Bad(name="result: cut in the middle", status=400, sent=result(GOOD_RESULT[:50], length="200"), cut=True),
    Bad(name="result: a list", status=422, sent=result(b"[" + GOOD_RESULT + b"]")),
    Bad(name="result: a registration", status=422, sent=result(GOOD), says=("conversationId", "userId")),
    Bad(name="result: no fields but unknown ones", status=422, sent=result(b'{"canary":1}'), says=tuple(RESULT)),
    *[
        Bad(name=f"result: {name} {value!r}", status=422, sent=told(**{name: value}), says=(name,))
        for name, value in (
            ("conversationId", INTERACTION.replace("-", "")),
            ("conversationId", f"{INTERACTION}\x00"),
            ("conversationId", "../../" + INTERACTION),
            ("userId", [CUSTOMER]),
            ("userId", f"urn:uuid:{CUSTOMER}"),
            ("eventTime", "2026-11-22T10:00:00"),
            ("eventTime", 1_795_341_600_123),
            ("eventTime", "9999-12-31T23:59:59-23:59"),
            ("direction", "sideways"),
            ("direction", "\x00"),
            ("mediaType", None),
            ("mediaType", {"voice": True}),
            ("ani", 639171234567),
            ("ani", None),
            ("ani", "\ud800"),
            ("subject", ["canary"]),
            ("wrapupCode", True),
        )
    ],
]

NOT_HTTP = [
    Bad(name="no HTTP at all", status=400, sent=b"nonsense\r\n\r\n"),
    Bad(name="a method in lower case", status=400, sent=request(method="post")),
    Bad(name="HTTP/9.9", status=400, sent=request(version="HTTP/9.9")),
    Bad(name="a NUL in the target", status=400, sent=request("/livez\x00")),
    Bad(name="a raw byte in the target", status=400, sent=request(f"{ADDRESS}/\xe4")),
    Bad(name="a header without a colon", status=400, sent=request(head=("Authorization Bearer canary",))),
    Bad(name="a space before the colon", status=400, sent=request(head=("X-Canary : x",))),
    Bad(name="a folded header", status=400, sent=request(head=("X-Long: a", " b"))),
    Bad(name="a NUL in a header", status=400, sent=request(head=("X-Nul: a\x00b",))),
    Bad(name="two lengths", status=400, sent=request(head=("Content-Length: 1",))),
    Bad(name="a negative length", status=400, sent=request(length="-1")),
    Bad(name="a length that is no number", status=400, sent=request(length="0x10")),
    Bad(name="a length and chunks", status=400, sent=chunked(GOOD, head=("Content-Length: 5",))),
    Bad(name="chunked twice", status=400, sent=chunked(GOOD, head=("Transfer-Encoding: chunked",))),
    Bad(name="an address of 3,000 bytes", status=414, sent=request("/" + "x" * 3000)),
    Bad(name="60 headers", status=431, sent=request(head=tuple(f"X-{n}: x" for n in range(60)))),
    Bad(name="a header of 10,000 bytes", status=431, sent=request(head=("X-Long: " + "x" * 10_000,))),
    Bad(name="an unknown transfer coding", status=501, sent=request(head=("Transfer-Encoding: br",), length=None)),
    Bad(name="an unknown expectation", status=417, sent=request(head=("Expect: tea",))),
]

ROWS = [*ADDRESSES, *METHODS, *CREDENTIALS, *SIZES, *TYPES, *SYNTAX, *SCHEMA, *SUPPORT_RESULTS, *NOT_HTTP]

#: Texts that no answer may contain: names of code, files, machines and tools, and what was sent.
INTERNALS = ("traceback", 'file "', ".py", "sqlite", "sqlalchemy", "werkzeug", "flask", "127.0.0.1", "/tmp", "canary")


class Answer(BytesIO):
    """Bytes from which http.client can read a response."""

    def makefile(self, *_args: object) -> BytesIO:
        return self


def ask(port: int, sent: bytes, *, cut: bool) -> tuple[http.client.HTTPResponse, bytes, bytes]:
    """Send a request; returns the response, its body, and all bytes received."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            connection.sendall(sent)
            if cut:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            # The answer came before everything was sent, as for a body that is far too long.
            pass
        came = b"".join(pieces(connection))
    method = "HEAD" if sent.startswith(b"HEAD") else "POST"
    response = http.client.HTTPResponse(Answer(came), method=method)  # type: ignore[arg-type] # all it calls is makefile
    response.begin()
    return response, response.read(), came


def pieces(connection: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return
        if not piece:
            return
        yield piece


def kept(gateway: Gateway) -> tuple[float, ...]:
    """Number of accepted registrations, and of accepted results."""
    names = ("conversations_accepted_total", 'events_received_total{source="supportResult"}')
    return tuple(gateway.metric(name) for name in names)


@pytest.mark.parametrize("bad", ROWS, ids=lambda bad: bad.name)
def test_a_bad_request_is_refused_with_a_problem_and_changes_nothing(bad: Bad, gateway: Gateway) -> None:
    before = kept(gateway)

    response, body, came = ask(gateway.port, bad.sent, cut=bad.cut)

    assert response.status == bad.status
    assert response.getheader("Content-Type") == "application/problem+json"
    if not bad.sent.startswith(b"HEAD"):
        problem = json.loads(body)
        assert set(problem) == {"type", "title", "status", "detail"} | ({"errors"} if bad.status == 422 else set())
        assert problem["status"] == bad.status
    assert not [word for word in INTERNALS if word in came.decode("latin-1").lower()]
    assert all(word.encode() in came for word in bad.says)
    assert kept(gateway) == before


def test_the_table_is_long_and_has_each_row_once() -> None:
    assert len(ROWS) >= 100
    assert len({bad.name for bad in ROWS}) == len(ROWS)


def test_after_all_that_a_good_request_is_served(gateway: Gateway) -> None:
    response, body, _ = ask(gateway.port, request(body=pair(interaction=INTERACTION.replace("a", "f"))), cut=False)

    assert response.status == 201
    assert json.loads(body)["state"] == "pending"


def test_after_all_that_a_good_result_is_taken_and_unknown_fields_are_ignored(gateway: Gateway) -> None:
    before = kept(gateway)

    response, body, _ = ask(gateway.port, told(conversationId=str(uuid4()), note={"unknown": "field"}), cut=False)

    assert response.status == 202
    assert set(json.loads(body)) == {"recordId", "state"}
    assert kept(gateway) == (before[0], before[1] + 1)


def test_after_all_that_the_gateway_is_as_quick_as_ever(gateway: Gateway) -> None:
    assert_quick(gateway)


def test_the_log_of_all_that_is_json_and_holds_nothing_that_was_sent(gateway: Gateway) -> None:
    lines = gateway.log()

    text = json.dumps(lines)
    assert [line for line in lines if line["event"] == "request"]
    assert not [word for word in (BOFE_TOKEN, CUSTOMER, "canary", "access_token") if word in text]
    assert not [line for line in lines if line["level"] in ("error", "critical")]
