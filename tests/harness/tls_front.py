"""What is between a gateway and the Internet in a bank: TLS, and an HTTP proxy that permits listed hosts only."""

import base64
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import gevent
import trustme
from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer

HostPort = tuple[str, int]

_HEAD_BYTES = 65536


class Authority:
    """A private certificate authority."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._ca = trustme.CA()
        self.file = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def context(self, *hosts: str) -> ssl.SSLContext:
        """The TLS context of a server with a certificate for these hosts."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*hosts).configure_cert(context)
        return context


@contextmanager
def tls_front(target_port: int, context: ssl.SSLContext) -> Iterator[int]:
    """Terminate TLS and forward the bytes inside to a port; yields the port of the front."""

    def serve(connection: socket.socket, _address: object) -> None:
        # ssl.SSLError is an OSError: a client that does not trust the certificate closes the connection.
        with suppress(OSError):
            # A greenlet killed in the handshake closes the socket only if the handshake is in the block.
            inside = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            with inside, socket.create_connection(("127.0.0.1", target_port)) as target:
                inside.do_handshake()
                _pass_on(inside, target)

    server = StreamServer(("127.0.0.1", 0), serve, spawn=Pool())
    server.start()
    try:
        assert server.server_port
        yield server.server_port
    finally:
        server.stop(timeout=0)


class ConnectProxy:
    """An HTTP proxy that supports CONNECT only.

    Args:
        routes: The local port behind each permitted host and port; others are refused with 403.
        login: ``user:password`` that it requires.
    """

    def __init__(self, routes: Mapping[HostPort, int], login: str | None = None) -> None:
        self._routes = routes
        self._login = login
        #: every host and port that was requested, refused ones included
        self.asked: list[HostPort] = []
        self._server = StreamServer(("127.0.0.1", 0), self._serve, spawn=Pool())

    @property
    def url(self) -> str:
        return f"http://{self._login + '@' if self._login else ''}127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["ConnectProxy"]:
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop(timeout=0)

    def _serve(self, client: socket.socket, _address: object) -> None:
        with client, suppress(OSError):
            head = _head(client)
            status = self._judge(head)
            if status != "200 Connection established":
                client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                return
            with socket.create_connection(("127.0.0.1", self._routes[self.asked[-1]])) as target:
                client.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
                _pass_on(client, target)

    def _judge(self, head: str) -> str:
        lines = head.split("\r\n")
        method, where, _ = lines[0].split(" ")
        if method != "CONNECT":
            return "405 Method Not Allowed"
        host, _, port = where.rpartition(":")
        self.asked.append((host, int(port)))
        if self._login is not None:
            word = base64.b64encode(self._login.encode()).decode()
            if f"proxy-authorization: basic {word}".lower() not in [line.lower() for line in lines]:
                return "407 Proxy Authentication Required"
        return "200 Connection established" if self.asked[-1] in self._routes else "403 Forbidden"


def _head(client: socket.socket) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < _HEAD_BYTES:
        byte = client.recv(1)  # one at a time: the bytes that follow belong to the tunnel
        if not byte:
            raise OSError("gone")
        head += byte
    return head.decode("latin-1")


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    pumps = [gevent.spawn(_pump, one, other), gevent.spawn(_pump, other, one)]
    try:
        gevent.joinall(pumps, count=1)
    finally:
        gevent.killall(pumps)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
