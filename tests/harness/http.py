"""HTTP/1.1 with JSON, over connections that are kept open."""

from dataclasses import dataclass
from typing import Any

import orjson
import urllib3

_TIMEOUT_SECONDS = 60.0


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
