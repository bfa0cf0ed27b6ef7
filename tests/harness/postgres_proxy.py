"""A proxy before PostgreSQL that loses the server's answer to a COMMIT: the transaction is durable, and nobody knows.

Invariant: it cuts only after the server has answered that the transaction is committed.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import gevent
from gevent import socket
from gevent.pool import Group
from gevent.server import StreamServer

#: First words of a client that asks for encryption by TLS or GSSAPI before it says anything else.
_ENCRYPTION = (80877103, 80877104)


class _Transaction:
    """The statements of one connection since its last COMMIT, whether sent as a text or by a prepared name."""

    def __init__(self) -> None:
        self._prepared: dict[bytes, bytes] = {}
        self._said: list[bytes] = []

    def note(self, kind: bytes, body: bytes) -> bool:
        """Note a message of the client; returns whether it is a COMMIT."""
        text = b""
        if kind == b"Q":
            text = body.rstrip(b"\0")
        elif kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._prepared[name] = text
            text = text if name == b"" else b""
        elif kind == b"B":
            _, name, _ = body.split(b"\0", 2)
            text = self._prepared.get(name, b"") if name else b""
        if text:
            self._said.append(text)
        return text.strip().upper() == b"COMMIT"

    def take(self) -> bytes:
        """The statements until now; forgets them."""
        said, self._said = b"\n".join(self._said), []
        return said


class PostgresProxy:
    """Forwards a PostgreSQL client's messages, and cuts connections after chosen COMMITs.

    Args:
        port: Port of the server at 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._words: bytes | None = None
        self._left = 0
        #: number of answers to a COMMIT that were lost
        self.cuts = 0
        self._connections = Group()
        self._server = StreamServer(("127.0.0.1", 0), self._handle)

    @property
    def port(self) -> int:
        port = self._server.server_port
        assert port is not None
        return port

    def cut_commits(self, words: str, times: int = 1) -> None:
        """Lose the answers to the next COMMITs of transactions in which a statement has these words."""
        self._words, self._left = words.encode(), times

    @contextmanager
    def running(self) -> Iterator["PostgresProxy"]:
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop(timeout=1)
            self._connections.kill()

    def _handle(self, client: socket.socket, _address: object) -> None:
        with suppress(OSError, EOFError), client, socket.create_connection(self._target) as server:
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            doomed = _Doomed()
            ways = [
                self._connections.spawn(self._forth, client, server, doomed),
                self._connections.spawn(self._back, client, server, doomed),
            ]
            gevent.joinall(ways, count=1)
            gevent.killall(ways)

    def _forth(self, client: socket.socket, server: socket.socket, doomed: "_Doomed") -> None:
        transaction = _Transaction()
        with suppress(OSError, EOFError):
            _forward_start(client, server)
            while True:
                kind, body = _message(client)
                if transaction.note(kind, body) and self._is_to_be_cut(transaction.take()):
                    doomed.commit = True
                server.sendall(_packed(kind, body))

    def _back(self, client: socket.socket, server: socket.socket, doomed: "_Doomed") -> None:
        with suppress(OSError, EOFError):
            while True:
                kind, body = _message(server)
                # CommandComplete: the server has committed.
                if doomed.commit and kind == b"C" and body == b"COMMIT\0":
                    self.cuts += 1
                    return
                client.sendall(_packed(kind, body))

    def _is_to_be_cut(self, statements: bytes) -> bool:
        if self._left and self._words is not None and self._words in statements:
            self._left -= 1
            return True
        return False


class _Doomed:
    """Whether the next answer to a COMMIT on this connection is to be lost."""

    commit = False


def _forward_start(client: socket.socket, server: socket.socket) -> None:
    """Forward the message with which a client begins; it has no type. Encryption is refused: it would hide the rest."""
    while True:
        (length,) = struct.unpack("!I", _exactly(client, 4))
        body = _exactly(client, length - 4)
        if struct.unpack("!I", body[:4])[0] not in _ENCRYPTION:
            server.sendall(struct.pack("!I", length) + body)
            return
        client.sendall(b"N")


def _message(source: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(source, 5)
    return head[:1], _exactly(source, struct.unpack("!I", head[1:])[0] - 4)


def _packed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data
