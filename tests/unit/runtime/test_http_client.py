"""One HTTP call returns a reply, or raises what is known about its outcome. On real sockets on loopback."""

import gzip
import shutil
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event

from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.errors import NoReply, NotSent, PermanentFailure
from genesys_gateway.runtime.http_client import MAX_BODY_BYTES, HttpClient, retry_after
from tests.doubles.genesys import answer, listening, request_of, settings

NOW = 1_763_805_600_000  # 2025-11-22T10:00:00Z
SECRET = "s3cr3t-token"


@pytest.fixture(name="stack")
def _stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def client_of(stack: ExitStack, handle: Callable[[Any], object], *, pool_size: int = 4, **changes: Any) -> HttpClient:
    """A client of a loopback server that passes each connection to ``handle``; ``changes`` are settings."""
    return client_for_url(stack, stack.enter_context(listening(handle)), pool_size=pool_size, **changes)


def client_for_url(stack: ExitStack, url: str, *, pool_size: int = 4, **changes: Any) -> HttpClient:
    client = HttpClient(settings(**changes), url, SystemClock(), pool_size)
    stack.callback(client.close)
    return client


def answering(*answers: bytes) -> Callable[[Any], None]:
    """A server's handler that gives these answers to the requests of a connection."""

    def handle(connection: Any) -> None:
        for one in answers:
            if request_of(connection):
                connection.sendall(one)

    return handle


def reset(connection: Any) -> None:
    """Have the connection closed by a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_any_status_is_a_reply(stack: ExitStack) -> None:
    for status in ("200 OK", "302 Found", "404 Not Found", "503 Service Unavailable"):
        reply = client_of(stack, answering(answer(b'{"a":1}', status, "Location: http://[bad"))).call("GET", "/x")

        assert (reply.status, reply.body) == (int(status[:3]), b'{"a":1}')


def test_the_request_carries_our_name_the_query_and_the_json(stack: ExitStack) -> None:
    seen: list[bytes] = []

    def handle(connection: Any) -> None:
        seen.append(request_of(connection))
        connection.sendall(answer())

    client_of(stack, handle).call("POST", "/a", params=[("id", "1"), ("id", "2")], json=[{"id": "t"}])

    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a?id=1&id=2 HTTP/1.1\r\n")
    assert b"User-Agent: genesys-gateway" in head
    assert b"Content-Type: application/json" in head
    assert body == b'[{"id":"t"}]'


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X-A: b", "b"),
        ("x-a:b", "b"),
        ("X-A: \t b", "b"),
        ("X-A:", ""),
        ("X-A: b: c", "b: c"),
        ("X-A: \xf1", "\xf1"),
        ("X-A: b\r\n c", "b c"),
        ("X-A: b\r\nX-A: c", "b, c"),
    ],
)
def test_headers_are_read(stack: ExitStack, line: str, value: str) -> None:
    head = f"HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 2\r\n\r\n".encode("latin-1")
    reply = client_of(stack, answering(head + b"{}")).call("GET", "/x")

    assert (reply.headers["X-A"], reply.body) == (value, b"{}")


def test_a_form_is_encoded_once(stack: ExitStack) -> None:
    seen: list[bytes] = []

    def handle(connection: Any) -> None:
        seen.append(request_of(connection))
        connection.sendall(answer())

    client_of(stack, handle).call("POST", "/oauth/token", data={"assertion": "ab+/c="})

    assert seen[0].endswith(b"\r\n\r\nassertion=ab%2B%2Fc%3D")


def test_a_connection_is_used_again_and_cookies_are_not_kept(stack: ExitStack) -> None:
    connections: list[int] = []
    seen: list[bytes] = []

    def handle(connection: Any) -> None:
        connections.append(1)
        while request := request_of(connection):
            seen.append(request)
            connection.sendall(answer(b"{}", "200 OK", "Set-Cookie: a=b"))

    calls = client_of(stack, handle)
    calls.call("GET", "/1")
    calls.call("GET", "/2")

    assert len(connections) == 1
    assert b"Cookie" not in seen[1]


def test_a_greenlet_killed_while_it_waits_on_a_kept_connection_closes_it(stack: ExitStack) -> None:
    asked, ended = Event(), Event()

    def handle(connection: Any) -> None:
        request_of(connection)
        connection.sendall(answer())
        request_of(connection)
        asked.set()
        assert connection.recv(1) == b""
        ended.set()

    calls = client_of(stack, handle)
    calls.call("GET", "/1")
    second = gevent.spawn(calls.call, "GET", "/2")
    asked.wait()
    second.kill()

    # A ResourceWarning, as of a socket that nobody closes, fails every test.
    assert ended.wait(5)


def test_a_kept_connection_that_the_server_has_closed_is_replaced_without_a_word(stack: ExitStack) -> None:
    connections: list[int] = []

    def handle(connection: Any) -> None:
        connections.append(1)
        request_of(connection)
        connection.sendall(answer())

    calls = client_of(stack, handle)
    for path in ("/1", "/2"):
        calls.call("POST", path, json={})
        gevent.sleep(0.02)  # until the end of the connection is here

    assert len(connections) == 2


def test_head_and_body_leave_in_one_packet(stack: ExitStack) -> None:
    packets: list[bytes] = []

    def handle(connection: Any) -> None:
        packets.append(connection.recv(65536))
        connection.sendall(answer())

    client_of(stack, handle).call("POST", "/x", json={"a": 1})

    assert packets[0].endswith(b'\r\n\r\n{"a":1}')


def test_a_refused_connection_is_known_not_to_be_sent(stack: ExitStack) -> None:
    with pytest.raises(NotSent):
        client_for_url(stack, f"http://127.0.0.1:{closed_port()}").call("POST", "/x", json={})


def test_a_name_that_does_not_resolve_is_known_not_to_be_sent(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)

    with pytest.raises(NotSent, match="NameResolutionError"):
        client_for_url(stack, "https://nowhere.invalid").call("POST", "/x", json={})


def test_a_name_that_can_not_even_be_asked_for_is_known_not_to_be_sent(stack: ExitStack) -> None:
    with pytest.raises(NotSent):
        client_for_url(stack, f"https://{'x' * 64}.invalid").call("POST", "/x", json={})


def test_a_tls_handshake_that_fails_is_known_not_to_be_sent(stack: ExitStack) -> None:
    url = stack.enter_context(listening(lambda connection: connection.sendall(answer())))

    with pytest.raises(NotSent, match="SSL"):
        client_for_url(stack, url.replace("http:", "https:")).call("POST", "/x", json={})


def test_a_connection_that_takes_too_long_is_known_not_to_be_sent(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: Event().wait())

    with pytest.raises(NotSent):
        client_for_url(stack, "https://slow.invalid").call("POST", "/x", json={}, deadline_seconds=0.05)


def test_a_call_that_waited_for_a_connection_in_vain_was_not_sent(stack: ExitStack) -> None:
    done, asked = Event(), Event()

    def handle(connection: Any) -> None:
        request_of(connection)
        asked.set()
        done.wait()

    calls = client_of(stack, handle, pool_size=1)
    first = gevent.spawn(calls.call, "GET", "/first")
    asked.wait()

    with pytest.raises(NotSent):
        calls.call("POST", "/second", json={}, deadline_seconds=0.05)

    first.kill()
    done.set()


def test_no_answer_in_time_leaves_the_outcome_unknown(stack: ExitStack) -> None:
    done = Event()
    stack.callback(done.set)

    with pytest.raises(NoReply):
        client_of(stack, lambda c: (request_of(c), done.wait())).call("POST", "/x", json={}, deadline_seconds=0.05)


def test_a_body_that_drips_is_bounded_by_the_total_time(stack: ExitStack) -> None:
    def drip(connection: Any) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            gevent.sleep(0.005)

    with gevent.Timeout(4), pytest.raises(NoReply):
        client_of(stack, drip).call("GET", "/x", deadline_seconds=0.1)


def test_after_a_timeout_the_connection_is_thrown_away(stack: ExitStack) -> None:
    late, connections = Event(), []

    def handle(connection: Any) -> None:
        connections.append(1)
        if len(connections) == 1:
            request_of(connection)
            late.wait()
            connection.sendall(answer(b'"the answer to another question"'))
        else:
            answering(answer(b'"right"'))(connection)

    calls = client_of(stack, handle, pool_size=1)
    with pytest.raises(NoReply):
        calls.call("GET", "/slow", deadline_seconds=0.05)
    late.set()

    assert calls.call("GET", "/next").body == b'"right"'


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=["nothing", "garbage", "truncated", "bad chunk", "two lengths", "not gzip"],
)
def test_an_answer_that_can_not_be_read_leaves_the_outcome_unknown(stack: ExitStack, reply: bytes) -> None:
    with pytest.raises(NoReply):
        client_of(stack, answering(reply)).call("POST", "/x", json={})


def test_a_reset_leaves_the_outcome_unknown(stack: ExitStack) -> None:
    def handle(connection: Any) -> None:
        request_of(connection)
        reset(connection)

    with pytest.raises(NoReply):
        client_of(stack, handle).call("POST", "/x", json={})


def test_a_kept_connection_that_the_server_resets_is_not_silently_used_again(stack: ExitStack) -> None:
    requests: list[bytes] = []

    def handle(connection: Any) -> None:
        requests.append(request_of(connection))
        connection.sendall(answer())
        requests.append(request_of(connection))
        reset(connection)

    calls = client_of(stack, handle)
    calls.call("POST", "/1", json={})

    with pytest.raises(NoReply):
        calls.call("POST", "/2", json={})
    assert [one[:7] for one in requests] == [b"POST /1", b"POST /2"]


def test_an_answer_that_is_too_large_is_not_read_to_its_end(stack: ExitStack) -> None:
    sent: list[int] = []

    def handle(connection: Any) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b" " * 65536)
            sent.append(65536)

    with pytest.raises(NoReply, match="larger"):
        client_of(stack, handle, http_timeout_seconds=20.0).call("GET", "/x")
    assert sum(sent) < 4 * MAX_BODY_BYTES


def test_a_small_answer_that_unpacks_to_a_huge_one_is_refused(stack: ExitStack) -> None:
    bomb = gzip.compress(b" " * (MAX_BODY_BYTES + 1))

    with pytest.raises(NoReply, match="larger"):
        client_of(stack, answering(answer(bomb, "200 OK", "Content-Encoding: gzip"))).call("GET", "/x")


def test_someone_elses_time_limit_passes_through(stack: ExitStack) -> None:
    done = Event()
    stack.callback(done.set)
    calls = client_of(stack, lambda c: (request_of(c), done.wait()))

    with pytest.raises(gevent.Timeout) as passed, gevent.Timeout(0.05) as limit:
        calls.call("GET", "/x")
    assert passed.value is limit


def test_a_greenlet_killed_during_a_call_gives_its_connection_back(stack: ExitStack) -> None:
    asked, done, connections = Event(), Event(), []

    def handle(connection: Any) -> None:
        connections.append(1)
        if len(connections) == 1:
            request_of(connection)
            asked.set()
            done.wait()
        else:
            answering(answer())(connection)

    calls = client_of(stack, handle, pool_size=1)
    greenlet = gevent.spawn(calls.call, "GET", "/slow")
    asked.wait()
    greenlet.kill()

    assert calls.call("GET", "/next").status == 200
    done.set()


def test_neither_errors_nor_replies_show_what_was_sent_or_answered(stack: ExitStack) -> None:
    def call(handle: Callable[[Any], object]) -> str:
        calls = client_of(stack, handle)
        try:
            headers = {"Authorization": f"Bearer {SECRET}"}
            return repr(calls.call("GET", f"/{SECRET}", headers=headers, params=[("q", SECRET)]))
        except NoReply as error:
            return repr(error) + repr(error.__cause__)

    shown = call(answering(answer(SECRET.encode(), "200 OK", f"X: {SECRET}"))) + call(answering(b""))

    assert SECRET not in shown


def test_plain_http_needs_a_host_that_may_be_spoken_to_plainly() -> None:
    for url in ("http://api.genesys.test", "ftp://127.0.0.1", "127.0.0.1", ""):
        with pytest.raises(PermanentFailure):
            HttpClient(settings(), url, SystemClock(), 1)

    for url in ("http://localhost:1", "http://[::1]:1", "http://127.9.9.9", "http://inside.test", "https://any.test"):
        listed = settings().plain_http_hosts | {"inside.test"}
        HttpClient(settings(plain_http_hosts=listed), url, SystemClock(), 1).close()


def test_the_environment_brings_neither_proxy_nor_authorities(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")

    assert client_of(stack, answering(answer())).call("GET", "/x").status == 200


def test_the_proxy_is_asked_for_a_tunnel_and_its_refusal_means_not_sent(stack: ExitStack) -> None:
    seen: list[bytes] = []

    def proxy(connection: Any) -> None:
        seen.append(request_of(connection))
        connection.sendall(answer(b"", "403 Forbidden"))

    url = stack.enter_context(listening(proxy))

    with pytest.raises(NotSent):
        client_for_url(stack, "https://api.genesys.test", https_proxy=url).call("POST", "/x", json={})
    assert seen[0].startswith(b"CONNECT api.genesys.test:443")


def test_hosts_without_proxy_are_reached_directly(stack: ExitStack) -> None:
    asked: list[int] = []
    url = stack.enter_context(listening(lambda _: asked.append(1)))
    address = f"https://127.0.0.1:{closed_port()}"

    with pytest.raises(NotSent):
        client_for_url(stack, address, https_proxy=url, no_proxy=("127.0.0.1",)).call("GET", "/x")
    assert asked == []


def test_tls_is_verified(stack: ExitStack, tmp_path: Path) -> None:
    url = stack.enter_context(_tls_server(tmp_path))

    with pytest.raises(NotSent, match="SSLCertVerificationError"):
        client_for_url(stack, url).call("GET", "/x")


def test_the_name_of_a_host_is_not_told(stack: ExitStack, tmp_path: Path) -> None:
    url = stack.enter_context(_tls_server(tmp_path)).replace("localhost", "127.0.0.1")
    client = client_for_url(stack, url, ca_bundle=tmp_path / "cert.pem")

    with pytest.raises(NotSent, match="mismatch, certificate is not valid for this host") as raised:
        client.call("GET", "/x")

    assert "127.0.0.1" not in str(raised.value)


def test_the_configured_authority_is_trusted(stack: ExitStack, tmp_path: Path) -> None:
    url = stack.enter_context(_tls_server(tmp_path))

    assert client_for_url(stack, url, ca_bundle=tmp_path / "cert.pem").call("GET", "/x").status == 200


def _tls_server(folder: Path) -> Any:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command to make a certificate with")
    command = f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:TRUE"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    def handle(connection: Any) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                answering(answer())(secured)
        except ssl.SSLError:
            return  # the client did not trust us

    @contextmanager
    def server() -> Iterator[str]:
        with listening(handle) as url:
            yield url.replace("http://127.0.0.1", "https://localhost")

    return server()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 0.5 ", 0.5),
        ("-3", 0.0),
        ("Sat, 22 Nov 2025 10:00:09 GMT", 9.0),
        ("Sat, 22 Nov 2025 09:00:00 GMT", 0.0),
        ("1e12", 3600.0),
        ("Sun, 22 Nov 2099 10:00:00 GMT", 3600.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("Sat, 99 Nov 9999999 10:00:09 GMT", None),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": text}, NOW) == seconds
    assert retry_after({}, NOW) is None
