"""Makes every HTTP call that leaves this process: each returns a reply, or raises what is known about its outcome.

Invariant: a call is made at most once and takes a bounded time. A failure distinguishes "the other side has not seen
the call" (:class:`NotSent`) from "the outcome is unknown" (:class:`NoReply`). Headers and bodies are never logged.
"""

import math
import re
import ssl
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from pathlib import Path
from select import POLLIN
from typing import Any
from urllib.parse import urlencode, urlsplit

import gevent
import orjson
import requests
from gevent.lock import BoundedSemaphore
from gevent.monkey import get_original
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, ProxyError

from genesys_gateway.runtime.clock import Clock, Deadline
from genesys_gateway.runtime.errors import NoReply, NotSent, PermanentFailure
from genesys_gateway.runtime.greenlets import paced
from genesys_gateway.runtime.network import Network

#: Maximum size of an answer. Every expected answer is far smaller, so a sender of more is broken or hostile.
MAX_BODY_BYTES = 5 * 1024 * 1024
#: Maximum wait taken from a ``Retry-After`` header; a longer one is cut to this. One header must not stop our calls for
#: days, and after this wait the other side can demand another.
MAX_RETRY_AFTER_SECONDS = 3600.0
#: Start of the message of an error between this process and the proxy, or inside the proxy.
PROXY_FAILED = "proxy"

#: The name that a certificate is not valid for, as OpenSSL's words quote it.
_QUOTED = re.compile(r" for '.*'", re.DOTALL)
_CHUNK_BYTES = 64 * 1024
# A socket's own time limit, as a share of the call's: it passes a little earlier, so that ssl and urllib3 clean up.
_SOCKET_SHARE = 0.98
_LEAST_SECONDS = 0.001  # urllib3 rejects a time limit of 0
_DEFAULT_HEADERS = {
    "User-Agent": "genesys-gateway",
    "Accept": "application/json",
    # A compressed answer may be small on the wire and huge once unpacked. Expected answers are small anyway.
    "Accept-Encoding": "identity",
}

# Not gevent's: that one lets other greenlets run.
_poll = get_original("select", "poll")
# Methods without a Content-Length, if there is no body.
_WITHOUT_BODY = ("GET", "HEAD")

Params = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete HTTP answer, with any status."""

    status: int
    #: case-insensitive; like the body hidden from ``repr``, because both may hold secrets
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    #: seconds that the other side asked us to wait; None if it did not ask
    retry_after: float | None = None


class HttpClient:
    """Calls to one target over its own pool of kept-alive connections.

    Args:
        network: Time limit, proxy and trusted authorities.
        base_url: Scheme, host and path prefix of the target.
        clock: To turn a ``Retry-After`` date into seconds.
        pool_size: Maximum number of calls under way at a time. Further calls wait for a connection, and that wait
            counts against their own deadline.

    Raises:
        PermanentFailure: The URL is not https, and plain HTTP is not allowed for its host.
    """

    def __init__(self, network: Network, base_url: str, clock: Clock, pool_size: int) -> None:
        target = urlsplit(base_url)
        host = target.hostname or ""
        if target.scheme != "https" and not (target.scheme == "http" and network.allows_plain_http_to(host)):
            raise PermanentFailure("calls need https, or a host in GATEWAY_PLAIN_HTTP_HOSTS")
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._seconds = network.http_timeout_seconds
        self._connections = BoundedSemaphore(pool_size)
        proxy = None if network.bypasses_proxy(host) else network.https_proxy
        self._proxies = {"https": proxy} if proxy else {}
        self._adapter = _Adapter(network.ca_bundle, pool_size)

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        json: object = None,
        data: Mapping[str, str] | None = None,
        deadline_seconds: float | None = None,
    ) -> Reply:
        """Make one call. It is never retried here: only the caller knows whether a retry is safe.

        Args:
            method: In capitals.
            path: Appended to the base URL; the caller has quoted any id in it.
            headers: Added to the default ones.
            params: The query, as pairs.
            json: Body, sent as JSON unless None.
            data: Body, form-encoded here.
            deadline_seconds: Total time, from waiting for a connection to the last byte of the answer; by default
                GATEWAY_HTTP_TIMEOUT_SECONDS.

        Raises:
            NotSent: No connection could be made; the other side has seen nothing of the call.
            NoReply: No complete and readable answer came in time; the call may have had its effect.
        """
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url = method, _prepared_url(self._base_url + path, tuple(params or ()))
        sent: dict[str, str] = {**_DEFAULT_HEADERS, **(headers or {})}
        if json is not None:
            prepared.body, sent["Content-Type"] = orjson.dumps(json), "application/json"
        elif data is not None:
            prepared.body, sent["Content-Type"] = urlencode(data).encode(), "application/x-www-form-urlencoded"
        if prepared.body is not None or method not in _WITHOUT_BODY:
            sent["Content-Length"] = str(len(prepared.body or b""))
        prepared.headers = sent  # type: ignore[assignment]  # a plain dict is enough here, and is copied for each call
        return self._send(prepared, deadline_seconds or self._seconds)

    def close(self) -> None:
        """Close the idle connections."""
        self._adapter.close()

    def _send(self, prepared: requests.PreparedRequest, seconds: float) -> Reply:
        deadline = Deadline(self._clock, seconds)
        # A queue of our own: a greenlet that leaves urllib3's queue by a Timeout breaks its count, and then the good
        # answer of another call is lost.
        if not self._connections.acquire(timeout=seconds):
            raise NotSent("every connection is busy")
        try:
            return self._exchange(prepared, max(deadline.left(), _LEAST_SECONDS))
        finally:
            self._connections.release()

    def _exchange(self, prepared: requests.PreparedRequest, seconds: float) -> Reply:
        state = _CallState()
        _call_state.set(state)
        # A socket's time limit is per read: a server that sends one byte a second would never reach it.
        limit = gevent.Timeout.start_new(seconds)
        try:
            return self._receive(prepared, seconds)
        except gevent.Timeout as passed:
            if passed is not limit:
                raise
            raise state.failure("no whole answer in time") from None
        except requests.ConnectTimeout:
            raise NotSent("no connection in time") from None
        except (requests.RequestException, HTTPError) as error:
            # A chained error would put the URL with its query into logs; the kind of error is enough.
            raise state.failure(f"connection failed ({_root_cause(error)})") from None
        finally:
            limit.close()

    def _receive(self, prepared: requests.PreparedRequest, seconds: float) -> Reply:
        # No session: it would look for cookies, redirects, hooks and settings of the environment, for half of the cost.
        response = self._adapter.send(prepared, stream=True, timeout=seconds * _SOCKET_SHARE, proxies=self._proxies)
        # Leaving this block before the body's end, for any reason, closes the connection too.
        with response:
            body = _body(response)
        headers = response.raw.headers
        wait = retry_after(headers, self._clock.now())
        return Reply(status=response.status_code, headers=headers, body=body, retry_after=wait)


def _body(response: requests.Response) -> bytes:
    """Read the answer to its end.

    Raises:
        NoReply: It is too large.
    """
    raw = response.raw
    length = raw.length_remaining
    if length is not None and length <= _CHUNK_BYTES and "Content-Encoding" not in raw.headers:
        return bytes(raw.read())
    body = bytearray()
    # What has arrived already is read without a wait.
    for chunk in paced(response.iter_content(_CHUNK_BYTES)):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise NoReply(f"the answer ({response.status_code}) is larger than {MAX_BODY_BYTES} bytes")
    return bytes(body)


@lru_cache(maxsize=64)
def _prepared_url(url: str, params: tuple[tuple[str, str], ...]) -> str:
    """The URL with the query, quoted and checked. Some paths are used again and again."""
    return requests.Request("GET", url, params=params).prepare().url or ""


def retry_after(headers: Mapping[str, str], now: int) -> float | None:
    """Seconds that a ``Retry-After`` header asks for.

    Args:
        headers: Of an answer. Names are compared as the mapping compares them.
        now: Epoch milliseconds; the header may hold a date instead of seconds.

    Returns:
        From 0 to MAX_RETRY_AFTER_SECONDS; None when there is no readable header.
    """
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, now)
    return min(max(0.0, seconds), MAX_RETRY_AFTER_SECONDS) if math.isfinite(seconds) else None


def _seconds_until(date: str, now: int) -> float:
    try:
        moment = parsedate_to_datetime(date)
        at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan
    return at - now / 1000


def _root_cause(error: BaseException) -> str:
    """The name of the error inside those of requests and urllib3, whose texts would show the URL with its query."""
    proxied = False
    for _ in range(8):
        proxied = proxied or isinstance(error, ProxyError)
        inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    description = type(error).__name__ + _safe_details(error)
    return f"{PROXY_FAILED}: {description}" if proxied else description


def _safe_details(error: BaseException) -> str:
    """The part of an error's text that holds no URL, no host and no secret; empty if there is none."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ": " + _QUOTED.sub(" for this host", error.verify_message)
    refused = re.match(r"Tunnel connection failed: (\d{3})\b", str(error))
    return f": answered {refused[1]}" if refused else ""


class _CallState:
    """Whether one call is known to be unsent. NotSent needs proof: "sent" is assumed until our adapter takes over."""

    __slots__ = ("unsent",)

    def __init__(self) -> None:
        self.unsent = False

    def failure(self, message: str) -> NotSent | NoReply:
        return NotSent(message) if self.unsent else NoReply(message)


_call_state: ContextVar[_CallState] = ContextVar("state of the call this greenlet makes")


class _PlainConnection(HTTPConnection):
    """A connection that marks its call as sent as soon as the other side may see a byte of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: what :meth:`request` sends at once; None outside of it
        self._parts: list[bytes] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the other side has it open. urllib3 asks this of a connection that it has just taken from its pool.

        No other greenlet runs meanwhile: a Timeout raised here would leave the socket to the garbage collector.
        """
        if self.sock is None:
            return False
        look = _poll()
        look.register(self.sock, POLLIN)
        return not look.poll(0)

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.is_closed:
            # Otherwise plain HTTP connects in the middle of sending, and a failure to connect looks like a later one.
            self.connect()
        _call_state.get().unsent = False
        parts = self._parts = []
        try:
            super().request(*args, **kwargs)
        finally:
            self._parts = None
        super().send(b"".join(parts))

    def send(self, data: Any) -> None:
        # Head and body in one packet: urllib3 would send them in two.
        if self._parts is None:
            super().send(data)
        else:
            self._parts.append(data)


class _TlsConnection(_PlainConnection, HTTPSConnection):
    """The same over TLS; ``super()`` in :meth:`_PlainConnection.request` is HTTPSConnection here."""


@cache
def _tls_context(ca_bundle: Path | None) -> ssl.SSLContext:
    """One for all connections: loading the authorities takes 20 ms, and no other greenlet runs meanwhile."""
    return ssl.create_default_context(cafile=ca_bundle)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Makes the connections above, to one target, over TLS that always verifies.

    What requests would work out anew for each call is left out.
    """

    def __init__(self, ca_bundle: Path | None, pool_size: int) -> None:
        self._tls = _tls_context(ca_bundle)
        self._pool: Any = None
        super().__init__(pool_connections=1, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, **kwargs)
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
        return manager

    def close(self) -> None:
        self._pool = None
        super().close()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        _call_state.get().unsent = True
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def cert_verify(self, conn: Any, *_: object) -> None:
        # requests would trust its own authorities, too.
        conn.cert_reqs = "CERT_REQUIRED"

    def request_url(self, request: requests.PreparedRequest, *_: object) -> str:
        return str(request.path_url)

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        # Without the cookies, and without another copy of the headers.
        response = requests.Response()
        response.status_code, response.raw, response.request = resp.status, resp, req
        return response
