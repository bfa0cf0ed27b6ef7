"""Every HTTP call that leaves this process goes through here, and either becomes a reply or says what is known.

Law: a call is made at most once and takes a bounded time; a failure tells "nobody has seen it" (:class:`NotSent`)
from "nobody knows" (:class:`NoReply`). Headers and bodies are never logged.
"""

import math
import re
import ssl
from collections.abc import Iterable, Mapping
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

#: No answer we ask for comes near this; whoever sends more is broken or hostile.
MAX_BODY_BYTES = 5 * 1024 * 1024
#: One header must not silence us for days: a longer wait is cut to this, and then the other side may ask again.
MAX_RETRY_AFTER_SECONDS = 3600.0
#: Begins what is told of a failure on the way to or through the proxy.
PROXY_FAILED = "proxy"

_CHUNK_BYTES = 64 * 1024
# A socket's own time limit comes a little before the call's, because after it ssl and urllib3 tidy up by themselves.
_SOCKET_SHARE = 0.98
_LEAST_SECONDS = 0.001  # urllib3 takes no time limit of 0
_DEFAULT_HEADERS = {
    "User-Agent": "genesys-gateway",
    "Accept": "application/json",
    # A compressed answer may be small on the wire and huge here; ours are small anyway.
    "Accept-Encoding": "identity",
}

Params = Iterable[tuple[str, str]]


class Network(Protocol):
    """What a connection needs to know of the network that it leaves by. The service's settings are one."""

    @property
    def http_timeout_seconds(self) -> float:
        """Total time of one call."""

    @property
    def https_proxy(self) -> str | None:
        """URL of the proxy for TLS connections, if there is one."""

    @property
    def ca_bundle(self) -> Path | None:
        """Certificate authorities to trust instead of the system's."""

    def may_speak_plainly_to(self, host: str) -> bool:
        """Whether calls to that host may go without TLS."""

    def bypasses_proxy(self, host: str) -> bool:
        """Whether that host is reached without the proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole HTTP answer, of whatever status."""

    status: int
    #: case-insensitive; hidden because it may hold secrets, as the body may
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    #: seconds the other side asked us to wait, if it did
    retry_after: float | None = None


class HttpClient:
    """Calls to one target over its own pool of kept-alive connections.

    Args:
        network: Time limit, proxy and trusted authorities.
        base_url: Scheme, host and path prefix of the target.
        clock: To turn a ``Retry-After`` date into seconds.
        pool_size: How many calls may be under way at a time; more wait for their turn within their own time.

    Raises:
        PermanentFailure: The target would have to be spoken to without TLS, and nobody allowed that.
    """

    def __init__(self, network: Network, base_url: str, clock: Clock, pool_size: int) -> None:
        target = urlsplit(base_url)
        host = target.hostname or ""
        if target.scheme != "https" and not (target.scheme == "http" and network.may_speak_plainly_to(host)):
            raise PermanentFailure("calls need https, or a host in GATEWAY_PLAIN_HTTP_HOSTS")
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._seconds = network.http_timeout_seconds
        self._places = BoundedSemaphore(pool_size)
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
        """Make one call, never repeated here: who wants it again knows whether that is harmless.

        Args:
            method: In capitals.
            path: Below the base URL, ids in it quoted by the caller.
            headers: Beside our own.
            params: The query, as pairs.
            json: Body, sent as JSON unless None.
            data: Body, form-encoded once.
            deadline_seconds: For everything from waiting for a connection to the body's last byte; by default
                GATEWAY_HTTP_TIMEOUT_SECONDS.

        Raises:
            NotSent: No connection came about; the other side has seen nothing.
            NoReply: No whole and readable answer in time; the call may have had its effect.
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
        # Our own queue: one who leaves urllib3's by a Timeout breaks its count, and another's good answer is lost.
        if not self._places.acquire(timeout=seconds):
            raise NotSent("every connection is busy")
        try:
            return self._exchange(prepared, max(deadline.left(), _LEAST_SECONDS))
        finally:
            self._places.release()

    def _exchange(self, prepared: requests.PreparedRequest, seconds: float) -> Reply:
        wire = _SendState()
        _send_state.set(wire)
        # Sockets have time limits per read only; whoever drips a byte a second would hold us for ever.
        limit = gevent.Timeout.start_new(seconds)
        try:
            return self._receive(prepared, seconds)
        except gevent.Timeout as passed:
            if passed is not limit:
                raise
            raise wire.failure("no whole answer in time") from None
        except requests.ConnectTimeout:
            raise NotSent("no connection in time") from None
        except (requests.RequestException, HTTPError) as error:
            # The chain would carry the URL with its query into logs; the kind of error says enough.
            raise wire.failure(f"connection failed ({_root(error)})") from None
        finally:
            limit.close()

    def _receive(self, prepared: requests.PreparedRequest, seconds: float) -> Reply:
        response = self._session.send(
            prepared, stream=True, allow_redirects=False, timeout=seconds * _SOCKET_SHARE, proxies=self._session.proxies
        )
        # Closing before the body's end also closes the connection, whatever stopped us.
        with response:
            body = bytearray()
            for chunk in response.iter_content(_CHUNK_BYTES):
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
        headers: Of an answer; names in any case if the mapping allows that.
        now: Epoch milliseconds, against which a date is read.

    Returns:
        None when there is none that can be read; else from 0 to MAX_RETRY_AFTER_SECONDS.
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


def _root(error: BaseException) -> str:
    """The name of the error under requests' and urllib3's wrappings: their texts would show the URL with its query."""
    proxied = False
    for _ in range(8):
        proxied = proxied or isinstance(error, ProxyError)
        inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    told = type(error).__name__ + _known_words(error)
    return f"{PROXY_FAILED}: {told}" if proxied else told


def _known_words(error: BaseException) -> str:
    """What is safe to show of an error's own text."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f": {error.verify_message}"
    refused = re.match(r"Tunnel connection failed: (\d{3})\b", str(error))
    return f": answered {refused[1]}" if refused else ""


def _session(network: Network, host: str, pool_size: int) -> requests.Session:
    session = _Session()
    # The environment would bring proxies, .netrc passwords and CA files nobody configured, and costs 150 µs a call.
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
    """A session that follows no redirect; requests would read its body, however large, just to look where it leads."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        return None


class _SendState:
    """What one call knows of its way; NotSent needs proof, so "sent" is assumed until our adapter is at work."""

    __slots__ = ("unsent",)

    def __init__(self) -> None:
        self.unsent = False

    def failure(self, message: str) -> NotSent | NoReply:
        return NotSent(message) if self.unsent else NoReply(message)


_send_state: ContextVar[_SendState] = ContextVar("wire of the call this greenlet makes")


class _MarksAsSent:
    """Mixed into a connection: after :meth:`request` has a connection, its bytes may be seen by the other side."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.is_closed:  # type: ignore[attr-defined]
            # Plain HTTP would connect in the middle of sending: then nobody could tell the two apart.
            self.connect()  # type: ignore[attr-defined]
        _send_state.get().unsent = False
        super().request(*args, **kwargs)  # type: ignore[misc]


@cache
def _trusting(ca_bundle: Path | None) -> ssl.SSLContext:
    """One for all connections: loading the authorities takes 20 ms in which no greenlet runs."""
    return ssl.create_default_context(cafile=ca_bundle)


class _PlainConnection(_MarksAsSent, HTTPConnection):
    pass


class _TlsConnection(_MarksAsSent, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Connections that tell when they begin to send, and TLS that can't be talked out of verifying."""

    def __init__(self, ca_bundle: Path | None, pool_size: int) -> None:
        self._tls = _trusting(ca_bundle)
        super().__init__(pool_connections=1, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, **kwargs)
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
        return manager

    def cert_verify(self, conn: Any, url: str, verify: object, cert: object) -> None:  # noqa: ARG002
        conn.cert_reqs = "CERT_REQUIRED"

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        _send_state.get().unsent = True
        return super().send(*args, **kwargs)
