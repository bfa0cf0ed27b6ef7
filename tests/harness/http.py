"""HTTP/1.1 with JSON, over connections that are kept."""

from dataclasses import dataclass
from typing import Any

import orjson
import urllib3

_TIMEOUT_SECONDS = 60.0


class NoAnswer(Exception):
    """The connection was refused, cut, or silent for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What was answered."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self) -> Any:
        """The body; None when it is no JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


class Web:
    """One server, asked by any number of greenlets.

    Args:
        url: Its base.
        token: Bearer token for every request.
        connections: Kept open at most.
    """

    def __init__(self, url: str, token: str | None = None, connections: int = 64) -> None:
        self.url = url
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False)

    def ask(self, method: str, path: str, body: object = None, *, seconds: float = _TIMEOUT_SECONDS) -> Reply:
        """Ask once; nothing is repeated.

        Raises:
            NoAnswer: Whether it was carried out is unknown.
        """
        data = None if body is None else orjson.dumps(body)
        try:
            reply = self._pool.request(method, self.url + path, body=data, headers=self._headers, timeout=seconds)
        except urllib3.exceptions.HTTPError as error:
            raise NoAnswer(f"{method} {path}: {type(error).__name__}") from error
        return Reply(status=reply.status, headers=reply.headers, body=reply.data)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.clear()
