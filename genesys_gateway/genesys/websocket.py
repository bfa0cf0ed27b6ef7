"""One WebSocket to Genesys: opened within a bound, read message by message, never trusted to end.

Law: whatever the server sends costs bounded memory, and every way of losing it is one error, :class:`SocketLost`.
"""

import socket
import ssl
from functools import cache
from http.cookies import CookieError
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gevent
import gevent.socket
from websocket import ABNF, WebSocket, WebSocketBadStatusException, WebSocketException
from websocket._abnf import frame_buffer
from websocket._http import connect, proxy_info

from genesys_gateway.genesys import connect_uri
from genesys_gateway.runtime import http_client
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.errors import PermanentFailure, TransientFailure
from genesys_gateway.runtime.http_client import Network
from genesys_gateway.settings import Settings

#: Longest message taken; Genesys's are far below.
MAX_MESSAGE_BYTES = 1 << 20
_READ_BYTES = 1 << 16
#: Longest answer to the request for an upgrade, the body of a refusal included.
_HANDSHAKE_BYTES = 1 << 16
#: Fragments and control frames between two messages; Genesys sends whole messages and beats every 30 s.
_FRAMES_WITHOUT_MESSAGE = 1000
#: Names no host. An empty list would make the library look into the environment's NO_PROXY.
_NO_HOST = ["-"]


class SocketLost(TransientFailure):
    """The socket is closed, broken, silent, or could not be opened; another may be opened on the same channel."""


class ChannelGone(PermanentFailure):
    """The server knows no such channel for us (404), or no longer accepts its token (401, 403)."""


class _BoundedFrames(frame_buffer):
    """Refuses a frame by its announced length, before its bytes are read."""

    def recv_length(self) -> None:
        super().recv_length()
        if self.length is not None and self.length > MAX_MESSAGE_BYTES:
            raise WebSocketException("frame too long")


class _BufferedWebSocket(WebSocket):
    """Reads what has come in one system call instead of three a frame (5 µs against 14 where it was measured)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.frame_buffer = _BoundedFrames(self._recv, True)
        self._chunk = b""
        self._at = 0
        self._frames = 0

    def _recv(self, bufsize: int) -> bytes:
        if self._at >= len(self._chunk):
            self._chunk = super()._recv(_READ_BYTES)  # type: ignore[no-untyped-call] # it has no types
            self._at = 0
        piece = self._chunk[self._at : self._at + bufsize]
        self._at += len(piece)
        return piece

    def recv_frame(self) -> ABNF:
        frame: ABNF = super().recv_frame()  # type: ignore[no-untyped-call] # it has no types
        # Each is handled without a pause for other greenlets, so that a flood of them would stop the process.
        self._frames = 0 if frame.fin and frame.opcode < ABNF.OPCODE_CLOSE else self._frames + 1
        if self._frames > _FRAMES_WITHOUT_MESSAGE:
            raise WebSocketException("too many frames without a message")
        begun = self.cont_frame.cont_data
        if begun is not None and len(begun[1]) + len(frame.data) > MAX_MESSAGE_BYTES:
            raise WebSocketException("message too long")
        return frame


class _HandshakeWire:
    """What the library reads from while it shakes hands.

    It reads a header byte by byte and without end, and lets no other greenlet run as long as bytes are there.
    """

    def __init__(self, wire: Any) -> None:
        self._send_state = wire
        self._left = _HANDSHAKE_BYTES

    def __getattr__(self, name: str) -> Any:
        return getattr(self._send_state, name)

    def recv(self, bufsize: int) -> bytes:
        if self._left <= 0:
            raise WebSocketException("handshake too long")
        piece: bytes = self._send_state.recv(bufsize)
        self._left -= len(piece)
        return piece


class NotificationSocket:
    """An open socket. One greenlet receives; any may send or abort.

    Args:
        connected: What :func:`open_socket` made.
        send_seconds: How long one message may take to be sent.
    """

    def __init__(self, connected: WebSocket, send_seconds: float) -> None:
        self._socket = connected
        self._send_seconds = send_seconds

    def receive(self) -> bytes:
        """Wait for the next message, for ever if none comes (:meth:`abort` ends the wait).

        Raises:
            SocketLost: The socket ended, in whatever way.
        """
        try:
            opcode, frame = self._socket.recv_data_frame()
        except (WebSocketException, OSError) as error:
            raise SocketLost(type(error).__name__) from error
        if opcode == ABNF.OPCODE_CLOSE:
            raise SocketLost("closed by the server")
        data: bytes = frame.data
        return data

    def send(self, text: str) -> None:
        """Send one message.

        Raises:
            SocketLost: It could not be handed over in time; whether it arrived is unknown.
        """
        try:
            with gevent.Timeout(self._send_seconds):
                self._socket.send(text)
        except (WebSocketException, OSError, gevent.Timeout) as error:
            self.abort()
            raise SocketLost(type(error).__name__) from error

    def abort(self) -> None:
        """Close at once; whoever waits in here gets :class:`SocketLost`. May be repeated."""
        wire = self._socket.sock
        if wire is None:
            return
        try:
            # Of the plain socket below TLS: that of TLS would let the next read take ciphertext for a message.
            gevent.socket.socket.shutdown(wire, socket.SHUT_RDWR)
        except OSError:
            return  # the other side was faster

    def close(self) -> None:
        """Free the socket; only after its receiver has ended."""
        self._socket.shutdown()  # type: ignore[no-untyped-call] # it has no types


def open_socket(uri: str, settings: Settings) -> NotificationSocket:
    """Check a ``connectUri`` and connect to it, within ``GATEWAY_HTTP_TIMEOUT_SECONDS``.

    Raises:
        ChannelGone: The server refused this channel or its token.
        PermanentFailure: The address may not be connected to.
        SocketLost: It could not be opened now; after a 429 with how long we were asked to wait.
    """
    address = connect_uri.check(uri, settings.genesys_streaming_hosts, settings.may_speak_plainly_to)
    connecting = _BufferedWebSocket(
        sockopt=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
        sslopt={"context": _trust(settings.ca_bundle)} if address.secure else {},
        enable_multithread=True,  # pings, unsubscriptions and answers to pings come from three greenlets
        skip_utf8_validation=True,  # 258 µs a frame in pure Python; the JSON parser refuses bad UTF-8 itself
    )
    try:
        with gevent.Timeout(settings.http_timeout_seconds):
            wire, _ = connect(address.uri, connecting.sock_opt, _proxy(settings, address), None)
            options = {"redirect_limit": 0, "suppress_origin": True, "socket": _HandshakeWire(wire)}
            connecting.connect(address.uri, **options)  # type: ignore[no-untyped-call] # it has no types
    except WebSocketBadStatusException as error:
        if error.status_code in (401, 403, 404):
            raise ChannelGone(f"upgrade refused with {error.status_code}") from error
        raise SocketLost(f"upgrade refused with {error.status_code}", _asked(error)) from error
    except (WebSocketException, OSError, ValueError, CookieError, gevent.Timeout) as error:
        connecting.shutdown()  # type: ignore[no-untyped-call] # it has no types
        raise SocketLost(f"not opened: {type(error).__name__}") from error
    connecting.sock = wire
    connecting.settimeout(None)
    return NotificationSocket(connecting, settings.http_timeout_seconds)


def _asked(error: WebSocketBadStatusException) -> float | None:
    """Seconds that a 429 asks us to wait."""
    if error.status_code != 429 or not error.resp_headers:
        return None
    headers = {"Retry-After": error.resp_headers.get("retry-after", "")}
    return http_client.retry_after(headers, SystemClock().now())


@cache
def _trust(ca_bundle: Path | None) -> ssl.SSLContext:
    """One for all sockets: loading the authorities takes 10 ms in which no greenlet runs."""
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise SocketLost("the authorities of GATEWAY_CA_BUNDLE can't be read") from error


def _proxy(network: Network, address: connect_uri.ConnectUri) -> proxy_info:
    """The configured proxy, or none; the environment's own variables never count."""
    if network.https_proxy is None or not address.secure or network.bypasses_proxy(address.host):
        # Only where a proxy is named does the library listen to the list of hosts that go without it.
        options: dict[str, object] = {"http_proxy_host": "none", "http_proxy_port": 1, "http_no_proxy": ["*"]}
        return proxy_info(**options)  # type: ignore[no-untyped-call] # it has no types
    proxy = urlsplit(network.https_proxy)
    login = (unquote(proxy.username), unquote(proxy.password or "")) if proxy.username else None
    options = {"http_proxy_host": proxy.hostname, "http_proxy_port": proxy.port or 80, "http_proxy_auth": login}
    return proxy_info(**options, http_no_proxy=_NO_HOST)  # type: ignore[no-untyped-call] # it has no types
