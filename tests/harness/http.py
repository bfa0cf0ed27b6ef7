"""HTTP/1.1 with JSON, over connections that are kept open."""

import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import orjson
import urllib3
from urllib3.connection import HTTPConnection

_TIMEOUT_SECONDS = 60.0
#: A connection that was idle for longer is not used again, as with most pools.
_IDLE_SECONDS = 60.0


class NoAnswer(Exception):
    """The connection was refused or cut, or no answer came in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP response, read to its end."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed; None when it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


class _Connection(HTTPConnection):
    """A connection that opens anew for a request after it was idle."""

    _used = 0.0

    def _new_conn(self) -> socket.socket:
        """Connect. Unlike urllib3's own, this closes the socket also when the greenlet is killed meanwhile."""
        opened = socket.socket()
        with ExitStack() as undo:
            undo.callback(opened.close)
            opened.settimeout(self.timeout)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                opened.connect((self.host, self.port))
            except OSError as error:
                raise urllib3.exceptions.NewConnectionError(self, str(error)) from error
            undo.pop_all()
        return opened

    @property
    def is_connected(self) -> bool:
        """Whether the server has it open. Closes the socket if the greenlet is killed while it looks."""
        with ExitStack() as undo:
            undo.callback(self.close)
            connected = super().is_connected
            undo.pop_all()
        return connected

    def request(self, *args: Any, **kwargs: Any) -> None:
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self.close()  # sending connects again
        super().request(*args, **kwargs)

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        finally:
            self._used = time.monotonic()


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class JsonClient:
    """A client of one server; any number of greenlets may use it at once.

    Args:
        url: Prefix of every path.
        token: Bearer token of every request.
        connections: Maximum number of connections kept open.
    """

    def __init__(self, url: str, token: str | None = None, connections: int = 64) -> None:
        self.url = url
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False)
        self._pool.pool_classes_by_scheme = {"http": _Pool}

    def request(self, method: str, path: str, body: object = None, *, seconds: float = _TIMEOUT_SECONDS) -> Reply:
        """Send one request, once.

        Raises:
            NoAnswer: It is unknown whether the server acted on the request.
        """
        data = None if body is None else orjson.dumps(body)
        try:
            reply = self._pool.request(method, self.url + path, body=data, headers=self._headers, timeout=seconds)
        except urllib3.exceptions.HTTPError as error:
            raise NoAnswer(f"{method} {path}: {type(error).__name__}") from error
        return Reply(status=reply.status, headers=reply.headers, body=reply.data)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._pool.clear()
