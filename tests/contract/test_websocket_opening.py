"""Opening a WebSocket: the handshake, TLS, the proxy, and servers that answer wrongly or not at all."""

import base64
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import gevent
import pytest
from gevent.socket import socket

from genesys_gateway.genesys.websocket import ChannelGone, SocketLost, open_socket
from genesys_gateway.runtime.errors import PermanentFailure
from tests.doubles.genesys import answer, listening, request_of
from tests.doubles.websocket_server import (
    TEXT,
    Serve,
    accept,
    channel_uri,
    connected,
    frame,
    idle,
    opened_at,
    refusing,
    settings_for,
    until_lost,
    within,
)

# --- handshake ---


def test_the_request_names_host_and_path_and_sends_no_origin() -> None:
    requests: list[bytes] = []

    def handle(connection: socket) -> None:
        requests.append(accept(connection))

    with listening(handle) as url:
        opened_at(url).close()
    head, _, rest = requests[0].partition(b"\r\n")
    assert head == b"GET /channels/streaming-0-abc HTTP/1.1"
    assert f"Host: {urlsplit(url).netloc}".encode() in rest
    assert b"Origin" not in rest
    assert b"Cookie" not in rest


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found"])
def test_an_upgrade_refused_for_the_channel_or_its_token_means_the_channel_is_gone(status: str) -> None:
    with listening(refusing(status)) as url, pytest.raises(ChannelGone):
        opened_at(url)


@pytest.mark.parametrize(
    "status",
    ["200 OK", "301 Moved Permanently", "400 Bad Request", "410 Gone", "429 Too Many Requests", "500 x", "503 x"],
)
def test_any_other_refused_upgrade_may_be_tried_again(status: str) -> None:
    with listening(refusing(status, "Location: ws://127.0.0.1:1/elsewhere")) as url, pytest.raises(SocketLost):
        opened_at(url)


def test_an_upgrade_that_is_throttled_says_how_long_to_wait() -> None:
    with listening(refusing("429 Too Many Requests", "Retry-After: 7")) as url, pytest.raises(SocketLost) as lost:
        opened_at(url)
    assert lost.value.retry_after == 7
    with listening(refusing("429 Too Many Requests")) as url, pytest.raises(SocketLost) as lost:
        opened_at(url)
    assert lost.value.retry_after is None


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_no_redirect_is_followed(status: str) -> None:
    elsewhere: list[bytes] = []
    with listening(lambda c: elsewhere.append(request_of(c))) as target:
        moved = refusing(status, f"Location: {channel_uri(target)}", body=b"")
        with listening(moved) as url, pytest.raises(SocketLost):
            opened_at(url)
    assert elsewhere == []


GARBAGE = {
    "nothing": b"",
    "an end of line": b"\r\n\r\n",
    "noise": b"\x00\xff\xfe" * 100 + b"\r\n\r\n",
    "bad utf-8": b"HTTP/1.1 101 \xff\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "a word for a status": b"HTTP/1.1 abc Hello\r\n\r\n",
    "an enormous status": b"HTTP/1.1 " + b"1" * 5000 + b" x\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 101 x\r\nheader\r\n\r\n",
    "no accept": b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "a wrong accept": b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\n",
    "an accept beyond ASCII": "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: é\r\n\r\n".encode(),
    "a bad length": b"HTTP/1.1 500 x\r\nContent-Length: abc\r\n\r\n",
    "a negative length": b"HTTP/1.1 500 x\r\nContent-Length: -1\r\n\r\n",
    "a length beyond the end": b"HTTP/1.1 500 x\r\nContent-Length: 999999999999\r\n\r\nshort",
    "a cookie nobody may set": b"HTTP/1.1 301 x\r\nSet-Cookie: a@b=c; domain=.x\r\n\r\n",
    "a location that is none": b"HTTP/1.1 301 x\r\nLocation: \x7f://[\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_instead_of_a_handshake_is_a_lost_socket(kind: str) -> None:
    def handle(connection: socket) -> None:
        request_of(connection)
        connection.sendall(GARBAGE[kind])

    with listening(handle) as url, within(3), pytest.raises(SocketLost):
        opened_at(url)


def dripping(connection: socket) -> None:
    while True:
        connection.sendall(b"x")
        gevent.sleep(0.05)


def half_a_handshake(connection: socket) -> None:
    connection.sendall(b"HTTP/1.1 101 Switching")
    gevent.sleep(10)


def endless_headers(connection: socket) -> None:
    connection.sendall(b"HTTP/1.1 101 x\r\n")
    while True:
        connection.sendall(b"a: b\r\n" * 100)


def one_endless_header(connection: socket) -> None:
    while True:
        connection.sendall(b"x" * 65536)


def endless_body(connection: socket) -> None:
    connection.sendall(b"HTTP/1.1 503 x\r\nContent-Length: 999999999999\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


HANGING = [idle, half_a_handshake, dripping, endless_headers, one_endless_header, endless_body]


@pytest.mark.parametrize("hang", HANGING)
def test_a_server_that_hangs_in_the_handshake_is_left_in_time(hang: Serve) -> None:
    begun = time.monotonic()
    with listening(hang) as url, pytest.raises(SocketLost):
        opened_at(url)
    assert time.monotonic() - begun < 2


def test_nobody_listening_is_a_lost_socket() -> None:
    with listening(lambda c: None) as url:
        pass
    with pytest.raises(SocketLost):
        opened_at(url)


def test_a_name_that_can_not_be_resolved_is_a_lost_socket() -> None:
    name = "no-such-host.invalid"
    with within(3), pytest.raises(SocketLost):
        open_socket(f"wss://{name}/channels/x", settings_for(name))


def test_an_address_that_is_not_configured_is_refused_before_anything_is_opened() -> None:
    asked: list[object] = []
    with listening(asked.append) as url, pytest.raises(PermanentFailure):
        open_socket(channel_uri(url), settings_for("streaming.genesys.test"))
    assert asked == []


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"])
def test_proxies_of_the_environment_do_not_count(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    with connected(lambda c: c.sendall(frame(TEXT, b"direct"))) as opened:
        assert opened.receive() == b"direct"


# --- TLS ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem and key.pem for localhost."""
    folder = tmp_path_factory.mktemp("tls")
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command to make a certificate with")
    command = f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return folder


@contextmanager
def tls_listening(folder: Path, serve: Serve) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    def handle(connection: socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                accept(wrapped)
                serve(wrapped)
        except ssl.SSLError:
            return  # the client does not trust the certificate

    with listening(handle) as url:
        yield url.replace("http://127.0.0.1", "https://localhost")


def test_a_trusted_server_is_spoken_to_and_abort_wakes_the_receiver(certificate: Path) -> None:
    def serve(connection: socket) -> None:
        connection.sendall(frame(TEXT, b"secret"))
        gevent.sleep(10)

    with tls_listening(certificate, serve) as url:
        opened = opened_at(url, ca_bundle=certificate / "cert.pem")
        assert opened.receive() == b"secret"
        gevent.spawn_later(0.01, opened.abort)
        with within(2), pytest.raises(SocketLost):
            opened.receive()
        opened.close()


def test_abort_wakes_a_sender_over_tls(certificate: Path) -> None:
    with tls_listening(certificate, idle) as url:
        opened = opened_at(url, ca_bundle=certificate / "cert.pem")
        gevent.spawn_later(0.2, opened.abort)
        with within(2):
            until_lost(lambda: opened.send("x" * 1_000_000))
        opened.close()


@pytest.mark.parametrize("variable", ["WEBSOCKET_CLIENT_CA_BUNDLE", None])
def test_a_server_that_is_not_trusted_is_left(
    certificate: Path, variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv(variable, str(certificate / "cert.pem"))
    with tls_listening(certificate, lambda c: None) as url, pytest.raises(SocketLost, match="SSL"):
        opened_at(url)


def test_authorities_that_can_not_be_read_are_a_lost_socket(certificate: Path, tmp_path: Path) -> None:
    with tls_listening(certificate, lambda c: None) as url, pytest.raises(SocketLost, match="GATEWAY_CA_BUNDLE"):
        opened_at(url, ca_bundle=tmp_path / "vanished.pem")


def test_a_certificate_for_another_name_is_not_trusted(certificate: Path) -> None:
    with tls_listening(certificate, lambda c: None) as url, pytest.raises(SocketLost, match="SSL"):
        opened_at(url.replace("localhost", "127.0.0.1"), ca_bundle=certificate / "cert.pem")


# --- proxy ---


def test_the_configured_proxy_is_asked_for_a_tunnel_with_its_credentials() -> None:
    asked: list[bytes] = []

    def handle(connection: socket) -> None:
        asked.append(request_of(connection))
        connection.sendall(answer(b"", "407 Proxy Authentication Required"))

    with listening(handle) as proxy:
        login = proxy.replace("http://", "http://user:p%40ss@")
        with pytest.raises(SocketLost):
            open_socket("wss://streaming.test/channels/x", settings_for("streaming.test", https_proxy=login))
    assert asked[0].startswith(b"CONNECT streaming.test:443 HTTP/1.1\r\n")
    assert base64.b64encode(b"user:p@ss") in asked[0]


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_no_proxy_of_the_environment_does_not_lead_around_the_configured_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    monkeypatch.setenv(name, "*")
    with listening(lambda c: asked.append(request_of(c))) as proxy, pytest.raises(SocketLost):
        open_socket("wss://streaming.invalid/channels/x", settings_for("streaming.invalid", https_proxy=proxy))
    assert len(asked) == 1


def test_hosts_of_gateway_no_proxy_are_reached_directly(certificate: Path) -> None:
    with tls_listening(certificate, lambda c: c.sendall(frame(TEXT, b"direct"))) as url:
        opened = opened_at(
            url, ca_bundle=certificate / "cert.pem", https_proxy="http://127.0.0.1:1", no_proxy=("localhost",)
        )
        assert opened.receive() == b"direct"
        opened.close()
