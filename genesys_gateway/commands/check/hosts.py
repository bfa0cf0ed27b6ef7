"""Checks that each host can be reached as the gateway reaches it, through proxy and TLS, and compares the clocks."""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from genesys_gateway.commands.check.findings import Finding, State, good, skipped, wrong
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import NotSent, TransientFailure
from genesys_gateway.runtime.http_client import PROXY_FAILED, HttpClient
from genesys_gateway.settings import Settings

#: Maximum difference of clocks at which Genesys accepts an assertion, in seconds (Genesys docs).
MOST_SKEW_SECONDS = 10

#: Advice by a word in the text of the error; the first match counts.
_ADVICE = {
    PROXY_FAILED: "the proxy must let this machine through to that host; GATEWAY_NO_PROXY names what needs none",
    "SSLCertVerificationError": "GATEWAY_CA_BUNDLE must hold the authority that signed the host's certificate (a proxy "
    "that opens TLS has its own), and the address must be one that the certificate is for",
    "NameResolutionError": "check the name and this machine's DNS; a network that needs a proxy: GATEWAY_HTTPS_PROXY",
}
_UNREACHABLE = "check the address, the firewall and GATEWAY_HTTPS_PROXY"


@dataclass(slots=True, kw_only=True)
class Reached:
    """Which hosts answered, so that further checks of them make sense."""

    login: bool = False
    api: bool = False
    history: bool = False


def inspect(settings: Settings, clock: Clock, reached: Reached) -> Iterator[Finding]:
    """Yield one finding for the proxy, each host, and the clock; set in ``reached`` which hosts answered."""
    proxy = _proxy(settings)
    yield proxy
    skew: Finding | None = None
    for name, url in _targets(settings).items():
        if proxy.state is State.WRONG and not _goes_directly(settings, url):
            yield skipped(f"host {name}", "the proxy can't be reached")
            continue
        begun = clock.now()
        try:
            reply = HttpClient(settings, url, clock, 1).call("GET", "/")
        except TransientFailure as error:
            yield _unreachable(name, url, error)
            continue
        yield good(f"host {name}", f"{url} answers{'' if url.startswith('https') else ', without TLS'}")
        if name in ("login", "api", "history"):
            setattr(reached, name, True)
        skew = skew or _skew(reply.headers, begun, clock.now())
    yield skew or skipped("clock", "no host sent its time")


def _targets(settings: Settings) -> Mapping[str, str]:
    scheme = urlsplit(settings.genesys_api_url).scheme
    found = {"login": settings.genesys_login_url, "api": settings.genesys_api_url}
    for host, port in settings.genesys_streaming_hosts:
        address = f"[{host}]" if ":" in host else host
        # A connectUri is wss if the API is https, and without TLS only for hosts where that is allowed.
        plain = scheme == "http" and settings.allows_plain_http_to(host)
        found[f"streaming {host}"] = f"{'http' if plain else 'https'}://{address}{f':{port}' if port else ''}"
    found["history"] = settings.communication_history_url
    return found


def _proxy(settings: Settings) -> Finding:
    if settings.https_proxy is None:
        return good("proxy", "none; every host is reached directly")
    # Never print the setting itself: it may hold a password.
    parts = urlsplit(settings.https_proxy)
    address = f"{parts.hostname}:{parts.port}"
    try:
        socket.create_connection((parts.hostname, parts.port or 80), settings.http_timeout_seconds).close()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return wrong("proxy", f"{address} can't be connected: {reason}", "check GATEWAY_HTTPS_PROXY and the firewall")
    direct = [url for url in _targets(settings).values() if _goes_directly(settings, url)]
    return good("proxy", f"{address} listens" + (f"; without it: {', '.join(direct)}" if direct else ""))


def _goes_directly(settings: Settings, url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" or settings.bypasses_proxy(parts.hostname or "")


def _unreachable(name: str, url: str, error: TransientFailure) -> Finding:
    text = str(error)
    if not isinstance(error, NotSent):
        return wrong(f"host {name}", f"{url} was reached but gave no answer: {text}", "look at what runs there")
    advice = next((advice for word, advice in _ADVICE.items() if word in text), _UNREACHABLE)
    return wrong(f"host {name}", f"{url} can't be reached: {text}", advice)


def _skew(headers: Mapping[str, str], begun: int, ended: int) -> Finding | None:
    """Compare our clock with the header Date, which has whole seconds; None without a readable one."""
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
        theirs = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    # The header was written at some moment between request and answer, and rounded down to a whole second.
    ahead, behind = begun / 1000 - (theirs + 1), theirs - ended / 1000
    seconds = max(ahead, behind, 0.0)
    if seconds <= MOST_SKEW_SECONDS:
        return good("clock", f"within {max(1, round(seconds))} s of the other side's")
    direction = "ahead" if ahead > 0 else "behind"
    text = f"this machine's clock is {round(seconds)} s {direction}"
    return wrong("clock", text, f"let NTP set it: Genesys accepts clocks within {MOST_SKEW_SECONDS} s of its own")
