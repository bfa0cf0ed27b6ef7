"""One WebSocket to Genesys: opened within a time limit, read message by message, and assumed to break at any moment.

Invariant: whatever the server sends, memory is bounded, and however the socket is lost, the error is
:class:`SocketLost`.
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
from genesys_gateway.runtime.network import Network
from genesys_gateway.settings import Settings

#: Maximum size of a message in bytes; those of Genesys are far smaller.
MAX_MESSAGE_BYTES = 1 << 20
#: Maximum number of bytes read in one system call.
_READ_BYTES = 1 << 16
#: Maximum size in bytes of the answer to the upgrade request, including the body of a refusal.
_HANDSHAKE_BYTES = 1 << 16
#: Maximum number of fragments and control frames between two messages. Genesys sends whole messages, and a heartbeat
#: every 30 s.
_FRAMES_WITHOUT_MESSAGE = 1000
#: A no-proxy list that matches no host. With an empty list the library would read NO_PROXY from the environment.
_NO_HOST = ["-"]


class SocketLost(TransientFailure):
    """The socket is closed, broken, silent, or could not be opened; another may be opened on the same channel."""


class ChannelGone(PermanentFailure):
    """The server has no such channel (404), or no longer accepts its token (401, 403)."""


class _BoundedFrames(frame_buffer):
    """Rejects a frame by its announced length, before its bytes are read."""

    def recv_length(self) -> None:
        super().recv_length()
        if self.length is not None and self.length > MAX_MESSAGE_BYTES:
            raise WebSocketException("frame too long")


class _BufferedWebSocket(WebSocket):
    """Reads everything that has arrived in one system call, not three per frame (measured: 5 µs against 14 µs)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.frame_buffer = _BoundedFrames(self._recv, True)
        self._chunk = b""
        self._at = 0
        self._frames = 0

    def _recv(self, bufsize: int) -> bytes:
        if self._at >= len(self._chunk):
            self._chunk = super()._recv(_READ_BYTES)
            self._at = 0
        piece = self._chunk[self._at : self._at + bufsize]
        self._at += len(piece)
        return piece

    def recv_frame(self) -> ABNF:
        frame = super().recv_frame()
        # Control frames and fragments are handled without yielding to other greenlets: a flood would stop the process.
        self._frames = 0 if frame.fin and frame.opcode < ABNF.OPCODE_CLOSE else self._frames + 1
        if self._frames > _FRAMES_WITHOUT_MESSAGE:
            raise WebSocketException("too many frames without a message")
        fragments = self.cont_frame.cont_data
        if fragments is not None and len(fragments[1]) + len(frame.data) > MAX_MESSAGE_BYTES:
            raise WebSocketException("message too long")
        return frame


class _BoundedHandshake:
    """The connection that the library reads the handshake from, limited to ``_HANDSHAKE_BYTES``.

    The library reads headers byte by byte and without a limit, and lets no other greenlet run while bytes are there.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._left = _HANDSHAKE_BYTES

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def recv(self, bufsize: int) -> bytes:
        if self._left <= 0:
            raise WebSocketException("handshake too long")
        piece: bytes = self._connection.recv(bufsize)
        self._left -= len(piece)
        return piece


class NotificationSocket:
    """An open WebSocket. One greenlet receives; any greenlet may send or abort.

    Args:
        connected: The connection that :func:`open_socket` made.
        send_seconds: Time limit for sending one message.
    """

    def __init__(self, connected: WebSocket, send_seconds: float) -> None:
        self._socket = connected
        self._send_seconds = send_seconds

    def receive(self) -> bytes:
        """Wait for the next message, without a time limit (:meth:`abort` ends the wait).

        Raises:
            SocketLost: The socket was closed or broke.
        """
        try:
            opcode, frame = self._socket.recv_data_frame()
        except (WebSocketException, OSError) as error:
            raise SocketLost(type(error).__name__) from error
        if opcode == ABNF.OPCODE_CLOSE:
            raise SocketLost("closed by the server")
        return frame.data

    def send(self, text: str) -> None:
        """Send one message.

        Raises:
            SocketLost: The message could not be handed to the system in time; whether it arrived is unknown.
        """
        try:
            with gevent.Timeout(self._send_seconds):
                self._socket.send(text)
        except (WebSocketException, OSError, gevent.Timeout) as error:
            self.abort()
            raise SocketLost(type(error).__name__) from error

    def abort(self) -> None:
        """Close at once; a greenlet waiting in :meth:`receive` or :meth:`send` gets SocketLost. May be repeated."""
        connection = self._socket.sock
        if connection is None:
            return
        try:
            # Shut down the plain socket below TLS. After a shutdown of TLS itself, the next read would take
            # ciphertext for a message.
            gevent.socket.socket.shutdown(connection, socket.SHUT_RDWR)
        except OSError:
            return  # the server closed it first

    def close(self) -> None:
        """Free the socket. Call it only after the receiving greenlet has ended."""
        self._socket.shutdown()


def open_socket(uri: str, settings: Settings) -> NotificationSocket:
    """Check a ``connectUri`` and connect to it, within ``GATEWAY_HTTP_TIMEOUT_SECONDS``.

    Raises:
        ChannelGone: The server refused this channel or its token.
        PermanentFailure: :func:`connect_uri.check` rejected the address.
        SocketLost: The socket could not be opened now. After a 429, ``retry_after`` holds the server's Retry-After.
    """
    address = connect_uri.check(uri, settings.genesys_streaming_hosts, settings.allows_plain_http_to)
    connecting = _BufferedWebSocket(
        sockopt=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
        sslopt={"context": _trust(settings.ca_bundle)} if address.secure else {},
        enable_multithread=True,  # three greenlets send: pings, unsubscriptions and answers to pings
        skip_utf8_validation=True,  # it takes 258 µs a frame in pure Python; the JSON parser rejects bad UTF-8 itself
    )
    try:
        with gevent.Timeout(settings.http_timeout_seconds):
            connection, _ = connect(address.uri, connecting.sock_opt, _proxy(settings, address), None)
            options = {"redirect_limit": 0, "suppress_origin": True, "socket": _BoundedHandshake(connection)}
            connecting.connect(address.uri, **options)
    except WebSocketBadStatusException as error:
        if error.status_code in (401, 403, 404):
            raise ChannelGone(f"upgrade refused with {error.status_code}") from error
        raise SocketLost(f"upgrade refused with {error.status_code}", _asked(error)) from error
    except (WebSocketException, OSError, ValueError, CookieError, gevent.Timeout) as error:
        connecting.shutdown()
        raise SocketLost(f"not opened: {type(error).__name__}") from error
    connecting.sock = connection
    connecting.settimeout(None)
    return NotificationSocket(connecting, settings.http_timeout_seconds)


def _asked(error: WebSocketBadStatusException) -> float | None:
    """The seconds in the Retry-After of a 429; None for any other status."""
    if error.status_code != 429 or not error.resp_headers:
        return None
    headers = {"Retry-After": error.resp_headers.get("retry-after", "")}
    return http_client.retry_after(headers, SystemClock().now())


@cache
def _trust(ca_bundle: Path | None) -> ssl.SSLContext:
    """The TLS context of all sockets. Loading the authorities takes 10 ms, during which no greenlet runs."""
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise SocketLost("the authorities of GATEWAY_CA_BUNDLE can't be read") from error


def _proxy(network: Network, address: connect_uri.ConnectUri) -> proxy_info:
    """The configured proxy, or none; proxy variables of the environment are ignored."""
    if network.https_proxy is None or not address.secure or network.bypasses_proxy(address.host):
        # The library reads its list of hosts without a proxy only when a proxy is named, so name one that is not used.
        return proxy_info(http_proxy_host="none", http_proxy_port=1, http_no_proxy=["*"])
    proxy = urlsplit(network.https_proxy)
    login = (unquote(proxy.username), unquote(proxy.password or "")) if proxy.username else None
    return proxy_info(
        http_proxy_host=proxy.hostname,
        http_proxy_port=proxy.port or 80,
        http_proxy_auth=login,
        http_no_proxy=_NO_HOST,
    )
