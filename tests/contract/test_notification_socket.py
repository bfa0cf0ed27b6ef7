"""One WebSocket against a server that does everything a server may do, and much that it must not."""

import base64
import hashlib
import shutil
import ssl
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
import pytest
from gevent.event import Event
from gevent.socket import SHUT_WR, SO_LINGER, SOL_SOCKET, socket

from genesys_gateway.genesys.websocket import (
    MAX_MESSAGE_BYTES,
    ChannelGone,
    NotificationSocket,
    SocketLost,
    open_socket,
)
from genesys_gateway.runtime.errors import PermanentFailure
from tests.doubles.genesys import answer, listening, request_of, settings

Serve = Callable[[socket], object]
TEXT, CONTINUATION, BINARY, CLOSE, PING, PONG = 0x1, 0x0, 0x2, 0x8, 0x9, 0xA


def accept(connection: socket) -> bytes:
    """Do the server's part of the handshake; the request."""
    request = request_of(connection)
    key = next(line[19:] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    return request


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, length: int | None = None) -> bytes:
    """A server's frame; ``length`` announces another length than the payload has."""
    announced = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | opcode])
    if announced < 126:
        return head + bytes([announced]) + payload
    if announced < 1 << 16:
        return head + b"\x7e" + struct.pack("!H", announced) + payload
    return head + b"\x7f" + struct.pack("!Q", announced) + payload


def unmasked(connection: socket) -> tuple[int, bytes]:
    """The next frame of the client: opcode and payload."""
    head = exactly(connection, 2)
    length = head[1] & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", exactly(connection, 2))
    mask = exactly(connection, 4)
    return head[0] & 0xF, bytes(b ^ mask[i % 4] for i, b in enumerate(exactly(connection, length)))


def exactly(connection: socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError("the client closed")
        data += piece
    return data


def quick(host: str = "127.0.0.1", **changes: Any) -> Any:
    return settings(http_timeout_seconds=0.5, genesys_streaming_hosts=((host, None),), **changes)


def ws(url: str) -> str:
    return f"{url.replace('http', 'ws', 1)}/channels/streaming-0-abc"


@contextmanager
def connected(serve: Serve) -> Iterator[NotificationSocket]:
    """A socket to a server that shakes hands and then does what the test wants."""

    def handle(connection: socket) -> None:
        accept(connection)
        serve(connection)

    with listening(handle) as url:
        opened = opened_at(url)
        try:
            yield opened
        finally:
            opened.close()


def opened_at(url: str, **changes: Any) -> NotificationSocket:
    host_port = (urlsplit(url).hostname, urlsplit(url).port)
    return open_socket(ws(url), settings(http_timeout_seconds=0.5, genesys_streaming_hosts=(host_port,), **changes))


@contextmanager
def seconds(most: float) -> Iterator[None]:
    """Real time, with room for a slow machine: what is tested is that there is a bound at all."""
    with gevent.Timeout(most, AssertionError("it took too long")):
        yield


def for_ever(step: Callable[[], object]) -> None:
    """Repeat until the socket is lost."""
    while True:
        try:
            step()
        except SocketLost:
            return


def sleepy(_: socket) -> None:
    """Neither read nor write for longer than any test takes."""
    gevent.sleep(10)


def refusing(*lines: str, body: bytes = b"no") -> Serve:
    """A server that answers the upgrade with something else."""

    def handle(connection: socket) -> None:
        request_of(connection)
        connection.sendall(answer(body, *lines))

    return handle


# --- messages ---


def test_messages_arrive_whole_and_in_order() -> None:
    with connected(lambda c: c.sendall(b"".join(frame(TEXT, b"%d" % i) for i in range(500)))) as opened:
        assert [opened.receive() for _ in range(500)] == [b"%d" % i for i in range(500)]


def test_a_message_may_come_byte_by_byte() -> None:
    def serve(connection: socket) -> None:
        for byte in frame(TEXT, b"x" * 200) + frame(TEXT, b"next"):
            connection.sendall(bytes([byte]))
            gevent.sleep(0)

    with connected(serve) as opened:
        assert opened.receive() == b"x" * 200
        assert opened.receive() == b"next"


def test_a_message_in_fragments_is_put_together_around_control_frames() -> None:
    pieces = [
        frame(TEXT, b"one ", fin=False),
        frame(PONG),
        frame(CONTINUATION, b"two ", fin=False),
        frame(PING, b"?"),
        frame(CONTINUATION, b"three"),
    ]
    with connected(lambda c: c.sendall(b"".join(pieces))) as opened:
        assert opened.receive() == b"one two three"


def test_a_binary_message_and_an_empty_one_are_messages_too() -> None:
    with connected(lambda c: c.sendall(frame(BINARY, b"\x00\xff") + frame(TEXT))) as opened:
        assert opened.receive() == b"\x00\xff"
        assert opened.receive() == b""


def test_bad_utf8_is_left_to_the_reader_of_the_message() -> None:
    with connected(lambda c: c.sendall(frame(TEXT, b"\xff\xfe"))) as opened:
        assert opened.receive() == b"\xff\xfe"


def test_the_longest_message_is_taken_whole_or_in_pieces() -> None:
    longest = b"m" * MAX_MESSAGE_BYTES
    in_two = frame(TEXT, longest[:-1], fin=False) + frame(CONTINUATION, longest[-1:])
    with connected(lambda c: c.sendall(frame(TEXT, longest) + in_two)) as opened:
        assert opened.receive() == longest
        assert opened.receive() == longest


@pytest.mark.parametrize("announced", [MAX_MESSAGE_BYTES + 1, 1 << 32, (1 << 63) - 1, (1 << 64) - 1])
def test_a_longer_frame_ends_the_socket_before_its_bytes_are_awaited(announced: int) -> None:
    def serve(connection: socket) -> None:
        connection.sendall(frame(TEXT, length=announced))
        connection.recv(1)

    with connected(serve) as opened, seconds(2), pytest.raises(SocketLost):
        opened.receive()


def test_a_longer_message_in_fragments_ends_the_socket() -> None:
    def serve(connection: socket) -> None:
        connection.sendall(frame(TEXT, b"f" * 65536, fin=False))
        while True:
            connection.sendall(frame(CONTINUATION, b"f" * 65536, fin=False))

    with connected(serve) as opened, seconds(5), pytest.raises(SocketLost):
        opened.receive()


@pytest.mark.parametrize("piece", [frame(CONTINUATION, b"f", fin=False), frame(PING), frame(PONG, b"x")])
def test_a_flood_of_frames_that_are_no_message_ends_the_socket(piece: bytes) -> None:
    def serve(connection: socket) -> None:
        connection.sendall(frame(TEXT, b"f", fin=False))
        connection.sendall(piece * 2000)
        connection.recv(65536)

    with connected(serve) as opened, seconds(2), pytest.raises(SocketLost):
        opened.receive()


def test_many_pings_between_messages_are_fine() -> None:
    some = frame(PING) * 900 + frame(TEXT, b"m")

    def serve(connection: socket) -> None:
        connection.sendall(some * 3)
        while connection.recv(65536):
            continue

    with connected(serve) as opened:
        assert [opened.receive() for _ in range(3)] == [b"m"] * 3


# --- ways to be lost ---


def reset(connection: socket) -> None:
    connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


WAYS_TO_END = {
    "close frame": lambda c: c.sendall(frame(CLOSE, struct.pack("!H", 1001) + b"bye")),
    "close frame without a code": lambda c: c.sendall(frame(CLOSE)),
    "close frame with a bad code": lambda c: c.sendall(frame(CLOSE, struct.pack("!H", 1))),
    "close frame of one byte": lambda c: c.sendall(frame(CLOSE, b"x")),
    "end of stream": lambda c: c.shutdown(SHUT_WR),
    "reset": reset,
    "half a head": lambda c: c.sendall(b"\x81"),
    "half a payload": lambda c: c.sendall(frame(TEXT, b"half", length=100)),
    "reserved bits": lambda c: c.sendall(b"\xf1\x01x"),
    "unknown opcode": lambda c: c.sendall(frame(0x3, b"x")),
    "continuation of nothing": lambda c: c.sendall(frame(CONTINUATION, b"x")),
    "message inside a message": lambda c: c.sendall(frame(TEXT, b"a", fin=False) + frame(TEXT, b"b")),
    "fragmented ping": lambda c: c.sendall(frame(PING, b"x", fin=False)),
    "long ping": lambda c: c.sendall(frame(PING, b"x" * 126)),
    "http": lambda c: c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "noise": lambda c: c.sendall(bytes(range(256)) * 40),
}


@pytest.mark.parametrize("way", WAYS_TO_END)
def test_however_the_server_ends_it_the_socket_is_lost_and_nothing_else(way: str) -> None:
    with connected(WAYS_TO_END[way]) as opened, seconds(3):
        for_ever(opened.receive)


def test_a_lost_socket_stays_lost_and_can_be_closed_twice() -> None:
    with connected(reset) as opened:
        for _ in range(3):
            with pytest.raises(SocketLost):
                opened.receive()
        with pytest.raises(SocketLost):
            opened.send("x")
        opened.abort()
        opened.close()
        opened.close()


def test_abort_wakes_the_receiver() -> None:
    with connected(lambda c: c.recv(1)) as opened:
        gevent.spawn_later(0.01, opened.abort)
        with seconds(2), pytest.raises(SocketLost):
            opened.receive()


def fill(opened: NotificationSocket) -> None:
    """Send into the void until not one more byte fits."""
    wire = opened._socket.sock
    assert wire is not None
    wire.settimeout(0)
    for size in (1 << 20, 1 << 10, 1):
        with suppress(BlockingIOError):
            while True:
                wire.send(b"\x00" * size)
    wire.settimeout(None)


def test_abort_wakes_a_receiver_that_is_stuck_answering_a_close() -> None:
    """A peer that stopped reading lets the answer to its close wait for ever."""

    def serve(connection: socket) -> None:
        while not filled.is_set():
            gevent.sleep(0.01)
        connection.sendall(frame(CLOSE, struct.pack("!H", 1000)))
        gevent.sleep(10)

    filled = Event()
    with connected(serve) as opened:
        fill(opened)
        filled.set()
        gevent.spawn_later(0.3, opened.abort)
        with seconds(3), pytest.raises(SocketLost):
            opened.receive()


# --- sending ---


def test_pings_of_the_server_are_answered_with_their_payload() -> None:
    answered = Event()
    pongs: list[tuple[int, bytes]] = []

    def serve(connection: socket) -> None:
        connection.sendall(frame(PING, b"are you there"))
        pongs.append(unmasked(connection))
        answered.set()
        connection.sendall(frame(TEXT, b"good"))

    with connected(serve) as opened:
        assert opened.receive() == b"good"
        assert answered.wait(2)
    assert pongs == [(PONG, b"are you there")]


def test_messages_of_several_greenlets_do_not_mix() -> None:
    got: list[tuple[int, bytes]] = []
    done = Event()

    def serve(connection: socket) -> None:
        got.extend(unmasked(connection) for _ in range(40))
        done.set()

    with connected(serve) as opened:
        texts = [str(i) * 5000 for i in range(40)]
        gevent.joinall([gevent.spawn(opened.send, text) for text in texts], raise_error=True)
        assert done.wait(3)
    assert sorted(got) == sorted((TEXT, text.encode()) for text in texts)


def test_sending_to_a_peer_that_does_not_read_is_bounded_and_ends_the_socket() -> None:
    with connected(sleepy) as opened, seconds(5):
        for_ever(lambda: opened.send("x" * 1_000_000))
        with pytest.raises(SocketLost):
            opened.receive()


# --- opening ---


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
        moved = refusing(status, f"Location: {ws(target)}", body=b"")
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

    with listening(handle) as url, seconds(3), pytest.raises(SocketLost):
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


HANGING = [sleepy, half_a_handshake, dripping, endless_headers, one_endless_header, endless_body]


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
    with seconds(3), pytest.raises(SocketLost):
        open_socket(f"wss://{name}/channels/x", quick(name))


def test_an_address_that_is_not_configured_is_refused_before_anything_is_opened() -> None:
    asked: list[object] = []
    with listening(asked.append) as url, pytest.raises(PermanentFailure):
        open_socket(ws(url), quick("streaming.genesys.test"))
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
            return  # the client did not trust us

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
        with seconds(2), pytest.raises(SocketLost):
            opened.receive()
        opened.close()


def test_abort_wakes_a_sender_over_tls(certificate: Path) -> None:
    with tls_listening(certificate, sleepy) as url:
        opened = opened_at(url, ca_bundle=certificate / "cert.pem")
        gevent.spawn_later(0.2, opened.abort)
        with seconds(2):
            for_ever(lambda: opened.send("x" * 1_000_000))
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
            open_socket("wss://streaming.test/channels/x", quick("streaming.test", https_proxy=login))
    assert asked[0].startswith(b"CONNECT streaming.test:443 HTTP/1.1\r\n")
    assert base64.b64encode(b"user:p@ss") in asked[0]


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_no_proxy_of_the_environment_does_not_lead_around_the_configured_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    monkeypatch.setenv(name, "*")
    with listening(lambda c: asked.append(request_of(c))) as proxy, pytest.raises(SocketLost):
        open_socket("wss://streaming.invalid/channels/x", quick("streaming.invalid", https_proxy=proxy))
    assert len(asked) == 1


def test_hosts_of_gateway_no_proxy_are_reached_directly(certificate: Path) -> None:
    with tls_listening(certificate, lambda c: c.sendall(frame(TEXT, b"direct"))) as url:
        opened = opened_at(
            url, ca_bundle=certificate / "cert.pem", https_proxy="http://127.0.0.1:1", no_proxy=("localhost",)
        )
        assert opened.receive() == b"direct"
        opened.close()
