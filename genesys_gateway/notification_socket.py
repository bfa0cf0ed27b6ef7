"""One WebSocket to Genesys: opened within a bound, read message by message, never trusted to end.

Law: whatever the server sends costs bounded memory, and every way of losing it is one error, :class:`SocketLost`.
"""

import socket
from typing import Any
from urllib.parse import unquote, urlsplit

import gevent
from websocket import ABNF, WebSocket, WebSocketBadStatusException, WebSocketException
from websocket._abnf import frame_buffer

from genesys_gateway import connect_uri
from genesys_gateway.errors import Delayed, Refused
from genesys_gateway.settings import Settings

#: Longest message taken; Genesys's are far below.
MAX_MESSAGE_BYTES = 1 << 20
_READ_BYTES = 1 << 16


class SocketLost(Delayed):
    """The socket is closed, broken, silent, or could not be opened; another may be opened on the same channel."""


class ChannelGone(Refused):
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

    def _recv(self, bufsize: int) -> bytes:
        if self._at >= len(self._chunk):
            self._chunk = super()._recv(_READ_BYTES)  # type: ignore[no-untyped-call] # it has no types
            self._at = 0
        piece = self._chunk[self._at : self._at + bufsize]
        self._at += len(piece)
        return piece

    def recv_frame(self) -> ABNF:
        frame: ABNF = super().recv_frame()  # type: ignore[no-untyped-call] # it has no types
        begun = self.cont_frame.cont_data
        if begun is not None and len(begun[1]) + len(frame.data) > MAX_MESSAGE_BYTES:
            raise WebSocketException("message too long")
        return frame


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
        """Close at once; whoever waits in :meth:`receive` gets :class:`SocketLost`. May be repeated."""
        self._socket.abort()  # type: ignore[no-untyped-call] # it has no types

    def close(self) -> None:
        """Free the socket; only after its receiver has ended."""
        self._socket.shutdown()  # type: ignore[no-untyped-call] # it has no types


def open_socket(uri: str, settings: Settings) -> NotificationSocket:
    """Check a ``connectUri`` and connect to it, within ``GATEWAY_HTTP_TIMEOUT_SECONDS``.

    Raises:
        ChannelGone: The server refused this channel or its token.
        Refused: The address may not be connected to.
        SocketLost: It could not be opened now.
    """
    address = connect_uri.check(uri, settings.genesys_streaming_hosts, settings.may_speak_plainly_to)
    connecting = _BufferedWebSocket(
        sockopt=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
        sslopt={"ca_certs": str(settings.ca_bundle)} if settings.ca_bundle else {},
        enable_multithread=True,  # pings, unsubscriptions and answers to pings come from three greenlets
        skip_utf8_validation=True,  # 258 µs a frame in pure Python; the JSON parser refuses bad UTF-8 itself
    )
    try:
        with gevent.Timeout(settings.http_timeout_seconds):
            options = {"redirect_limit": 0, "suppress_origin": True, **_proxy(settings, address)}
            connecting.connect(address.uri, **options)  # type: ignore[no-untyped-call] # it has no types
    except WebSocketBadStatusException as error:
        if error.status_code in (401, 403, 404):
            raise ChannelGone(f"upgrade refused with {error.status_code}") from error
        raise SocketLost(f"upgrade refused with {error.status_code}") from error
    except (WebSocketException, OSError, ValueError, gevent.Timeout) as error:
        connecting.shutdown()  # type: ignore[no-untyped-call] # it has no types
        raise SocketLost(f"not opened: {type(error).__name__}") from error
    connecting.settimeout(None)
    return NotificationSocket(connecting, settings.http_timeout_seconds)


def _proxy(settings: Settings, address: connect_uri.ConnectUri) -> dict[str, object]:
    """Options for the configured proxy; the environment's own variables never count."""
    if settings.https_proxy is None or not address.secure or settings.bypasses_proxy(address.host):
        return {"http_no_proxy": ["*"]}
    proxy = urlsplit(settings.https_proxy)
    login = (unquote(proxy.username), unquote(proxy.password or "")) if proxy.username else None
    return {
        "http_proxy_host": proxy.hostname,
        "http_proxy_port": proxy.port or 80,
        "http_proxy_auth": login,
        "proxy_type": "http",
        "http_no_proxy": [],
    }
