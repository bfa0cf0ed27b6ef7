"""Makes every HTTP call that leaves this process: each returns a reply, or raises what is known about its outcome.

Invariant: a call is made at most once and takes a bounded time. A failure distinguishes "the other side has not seen
the call" (:class:`NotSent`) from "the outcome is unknown" (:class:`NoReply`). Headers and bodies are never logged.
"""

import math
import re
import ssl
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import gevent
import orjson
import requests
from gevent.lock import BoundedSemaphore
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, ProxyError

from genesys_gateway.runtime.clock import Clock, Deadline
from genesys_gateway.runtime.errors import NoReply, NotSent, PermanentFailure
from genesys_gateway.runtime.greenlets import paced

#: Maximum size of an answer. Every expected answer is far smaller, so a sender of more is broken or hostile.
MAX_BODY_BYTES = 5 * 1024 * 1024
#: Maximum wait taken from a ``Retry-After`` header; a longer one is cut to this. One header must not stop our calls for
#: days, and after this wait the other side can demand another.
MAX_RETRY_AFTER_SECONDS = 3600.0
#: Start of the message of an error between this process and the proxy, or inside the proxy.
PROXY_FAILED = "proxy"

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

Params = Iterable[tuple[str, str]]


class Network(Protocol):
    """The settings of the network that a connection needs. :class:`~genesys_gateway.settings.Settings` is one."""

    @property
    def http_timeout_seconds(self) -> float:
        """Total time of one call."""

    @property
    def https_proxy(self) -> str | None:
        """URL of the proxy for TLS connections, if there is one."""

    @property
    def ca_bundle(self) -> Path | None:
        """Certificate authorities to trust instead of the system's."""

    def allows_plain_http_to(self, host: str) -> bool:
        """Whether calls to that host may be made without TLS."""

    def bypasses_proxy(self, host: str) -> bool:
        """Whether that host is reached without the proxy."""


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
        self._session = _session(network, host, pool_size)

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
        body: bytes | Mapping[str, str] | None = data
        all_headers = dict(headers or {})
        if json is not None:
            body, all_headers["Content-Type"] = orjson.dumps(json), "application/json"
        request = requests.Request(method, self._base_url + path, all_headers, params=list(params or ()), data=body)
        return self._send(self._session.prepare_request(request), deadline_seconds or self._seconds)

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

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
        state = _SendState()
        _send_state.set(state)
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
        response = self._session.send(
            prepared, stream=True, allow_redirects=False, timeout=seconds * _SOCKET_SHARE, proxies=self._session.proxies
        )
        # Leaving this block before the body's end, for any reason, closes the connection too.
        with response:
            body = bytearray()
            # What has arrived already is read without a wait.
            for chunk in paced(response.iter_content(_CHUNK_BYTES)):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise NoReply(f"the answer ({response.status_code}) is larger than {MAX_BODY_BYTES} bytes")
        return Reply(
            status=response.status_code,
            headers=response.headers,
            body=bytes(body),
            retry_after=retry_after(response.headers, self._clock.now()),
        )


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
    """The part of an error's text that holds no URL and no secret; empty if there is none."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f": {error.verify_message}"
    refused = re.match(r"Tunnel connection failed: (\d{3})\b", str(error))
    return f": answered {refused[1]}" if refused else ""


def _session(network: Network, host: str, pool_size: int) -> requests.Session:
    session = _Session()
    # Trusting the environment would add proxies, .netrc passwords and CA files that the settings do not name, and
    # would cost 150 µs a call.
    session.trust_env = False
    session.headers.update(_DEFAULT_HEADERS)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    if network.https_proxy and not network.bypasses_proxy(host):
        session.proxies = {"https": network.https_proxy}
    adapter = _Adapter(network.ca_bundle, pool_size)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Session(requests.Session):
    """A session that sees no redirect. requests would read its whole body, however large, only to find its target."""

    def get_redirect_target(self, *_: object) -> None:
        return None


class _SendState:
    """Whether one call is known to be unsent. NotSent needs proof: "sent" is assumed until our adapter takes over."""

    __slots__ = ("unsent",)

    def __init__(self) -> None:
        self.unsent = False

    def failure(self, message: str) -> NotSent | NoReply:
        return NotSent(message) if self.unsent else NoReply(message)


_send_state: ContextVar[_SendState] = ContextVar("state of the call this greenlet makes")


class _PlainConnection(HTTPConnection):
    """A connection that marks its call as sent as soon as the other side may see a byte of it."""

    @property
    def is_connected(self) -> bool:
        """Whether the other side has it open. urllib3 asks this of a connection that it has just taken from its pool.

        Looking lets other greenlets run. A Timeout that is raised meanwhile would leave the socket to the garbage
        collector.
        """
        with ExitStack() as undo:
            undo.callback(self.close)
            connected = super().is_connected
            undo.pop_all()
        return connected

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.is_closed:
            # Otherwise plain HTTP connects in the middle of sending, and a failure to connect looks like a later one.
            self.connect()
        _send_state.get().unsent = False
        super().request(*args, **kwargs)


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
    """Makes the connections above, over TLS that always verifies, even if the session is set not to."""

    def __init__(self, ca_bundle: Path | None, pool_size: int) -> None:
        self._tls = _tls_context(ca_bundle)
        super().__init__(pool_connections=1, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, **kwargs)
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
        return manager

    def cert_verify(self, conn: Any, *_: object) -> None:
        conn.cert_reqs = "CERT_REQUIRED"

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        _send_state.get().unsent = True
        return super().send(*args, **kwargs)
