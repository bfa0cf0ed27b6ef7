"""Posts over HTTP connections that are kept open between two requests.

Invariant: a connection carries one request at a time. One that was idle for longer than a second is not used again,
because servers close idle connections, some after two seconds.
"""

from __future__ import annotations

import http.client
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

#: What `post` raises when there is no answer.
NO_ANSWER = (OSError, http.client.HTTPException, UnicodeError)

_IDLE_SECONDS = 1.0
#: Maximum number of bytes of an answer that are read.
_MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Status and body of an answer."""

    status: int
    body: bytes


class HttpConnections:
    """Open connections to any number of hosts, for any number of greenlets. No proxy is used, no redirect followed.

    Args:
        timeout: Seconds to wait for a connection, and for an answer.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        #: Host and port -> idle connections and when they became idle, the newest last.
        self._idle: defaultdict[str, list[tuple[http.client.HTTPConnection, float]]] = defaultdict(list)

    def post(self, url: str, body: bytes, headers: Mapping[str, str], sending: Callable[[], None]) -> Reply:
        """Post JSON to an `http` URL. `sending` is called when a connection is open, before the request is sent.

        Raises:
            OSError, http.client.HTTPException, UnicodeError: No connection, or no answer: the request may have been
                carried out.
        """
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = self._open(parts.netloc)
        try:
            sending()
            connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            reply = Reply(status=answer.status, body=answer.read(_MOST_BYTES))
            reusable = answer.isclosed() and not answer.will_close
        except BaseException:
            connection.close()
            raise
        if reusable:
            self._idle[parts.netloc].append((connection, time.monotonic()))
        else:
            connection.close()
        return reply

    def close(self) -> None:
        """Close all idle connections."""
        for connections in self._idle.values():
            for connection, _ in connections:
                with suppress(OSError):
                    connection.close()
        self._idle.clear()

    def _open(self, host: str) -> http.client.HTTPConnection:
        idle = self._idle[host]
        while idle:
            connection, since = idle.pop()
            if time.monotonic() - since <= _IDLE_SECONDS:
                return connection
            connection.close()
        connection = http.client.HTTPConnection(host, timeout=self._timeout)
        connection.connect()
        return connection
