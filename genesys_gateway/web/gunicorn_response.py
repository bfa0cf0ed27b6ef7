"""Sends the head of an answer together with its body: as two packets they would wake the caller twice.

Invariant: the bytes are the same, in the same order, as gunicorn would send them.
"""

import time
from email.utils import formatdate
from functools import lru_cache

from gunicorn.http.wsgi import Response

_date_at = lru_cache(maxsize=1)(formatdate)


def http_date() -> str:
    """The value of the header ``Date``, made once a second."""
    return _date_at(int(time.time()), usegmt=True)


class WholeResponse(Response):
    """gunicorn's ``Response``, which itself sends the head as soon as it is known."""

    #: the head, until it is sent
    _head = b""

    def send_headers(self) -> None:
        """Called by gunicorn before the first bytes of the body."""
        if not self.headers_sent:
            lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
            self._head = "".join(lines).encode("latin-1")
            self.headers_sent = True

    def can_sendfile(self) -> bool:
        """Called by gunicorn before the kernel sends a file by itself, ahead of the head."""
        return False

    def close(self) -> None:
        """Called by gunicorn after the body."""
        self.send_headers()
        self._send_head()
        super().close()

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            self._send_head()
            super()._emit_body(data)
        else:
            head, self._head = self._head, b""
            self.sock.sendall(head + data)

    def _send_head(self) -> None:
        head, self._head = self._head, b""
        if head:
            self.sock.sendall(head)
