"""One operator's browser: a session by the login form, pages and JSON on a connection that is kept, the live stream."""

import re
import time
from collections.abc import Iterator, Mapping
from http.cookies import SimpleCookie
from typing import Any

import urllib3

from tests.harness.http import NoAnswer

PAGE, JSON, STREAM = "text/html,*/*;q=0.8", "application/json", "text/event-stream"
_TIMEOUT_SECONDS = 20.0
#: As many as a browser keeps for one site.
_CONNECTIONS = 6
_ASSET = re.compile(r'(?:href|src)="(/ops/static/[^"]+)"')


class Browser:
    """A browser of one operator."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cookies = SimpleCookie()
        self._pool = urllib3.PoolManager(maxsize=_CONNECTIONS, retries=False, timeout=_TIMEOUT_SECONDS)

    def log_in(self, token: str) -> None:
        """Send the login form. Raises RuntimeError unless it gives a session, NoAnswer without an answer."""
        form = {"token": token}
        reply = self._request("POST", "/ops/login", {"Accept": PAGE}, fields=form, encode_multipart=False)
        if reply.status != 303 or not self._cookies:
            raise RuntimeError(f"the login was answered {reply.status}")

    def get(self, path: str, accept: str) -> tuple[int, bytes, float]:
        """Return status, body and the seconds until the answer was read. Raises NoAnswer."""
        begun = time.perf_counter()
        reply = self._request("GET", path, {"Accept": accept})
        return reply.status, reply.data, time.perf_counter() - begun

    def assets(self, page: bytes) -> list[str]:
        """The addresses of the scripts and styles that a page names."""
        return sorted({*_ASSET.findall(page.decode())})

    def follow(self, path: str) -> Iterator[bytes]:
        """Yield each event of the live stream until it ends. Raises NoAnswer; RuntimeError unless it is 200."""
        reply = self._request("GET", path, {"Accept": STREAM}, preload_content=False)
        try:
            if reply.status != 200:
                raise RuntimeError(f"the stream was answered {reply.status}")
            rest = b""
            while chunk := reply.read1():
                *events, rest = (rest + chunk).split(b"\n\n")
                yield from (event for event in events if b"data:" in event)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise NoAnswer(f"GET {path}: {type(error).__name__}") from error
        finally:
            reply.close()

    def close(self) -> None:
        """Close its connections."""
        self._pool.clear()

    def _request(self, method: str, path: str, headers: Mapping[str, str], **options: Any) -> urllib3.BaseHTTPResponse:
        cookies = "; ".join(f"{name}={cookie.value}" for name, cookie in self._cookies.items())
        if cookies:
            headers = {**headers, "Cookie": cookies}
        try:
            reply = self._pool.request(method, self._url + path, headers=headers, redirect=False, **options)
        except urllib3.exceptions.HTTPError as error:
            raise NoAnswer(f"{method} {path}: {type(error).__name__}") from error
        for line in reply.headers.getlist("Set-Cookie"):
            self._cookies.load(line)
        return reply
