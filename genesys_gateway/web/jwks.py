"""The public keys of the issuer that signs callers' tokens: fetched when needed, kept, and fetched again each hour.

Invariant: requests of callers cause at most one fetch a minute, always from the configured address. Keys once fetched
stay valid while the issuer can't be reached.
"""

from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from genesys_gateway.runtime import foreign_json
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import TransientFailure, Unavailable
from genesys_gateway.runtime.greenlets import paced
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.runtime.single_flight import SingleFlight
from genesys_gateway.settings import Settings

log = get_logger(__name__)

#: Minimum number of seconds between two fetches, whether they succeed or not.
PAUSE = 60.0
#: Seconds after which the keys are fetched again although none is missing: the issuer may have revoked one.
AGE = 3600.0
#: Maximum number of keys read from a key set. No issuer has more, and each takes a millisecond to read.
_MOST_KEYS = 100
#: Minimum length of an RSA key in bits; a shorter one can be broken.
_LEAST_RSA_BITS = 2048
# The members that make up a public key; all others are left out when it is imported.
_RSA_MEMBERS = ("kty", "n", "e")
_EC_MEMBERS = ("kty", "crv", "x", "y")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKey:
    """A public key and the one algorithm it may be used with."""

    #: RS256 or ES256
    algorithm: str
    key: RSAKey | ECKey = field(repr=False)


class Jwks:
    """The issuer's JSON Web Key Set, as fetched last.

    Args:
        settings: Hold the address of the key set, and the network's settings.
        clock: Only its monotonic time is used.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        parts = urlsplit(settings.oidc_jwks_url or "")
        self._http = HttpClient(settings, f"{parts.scheme}://{parts.netloc}", clock, 1)
        self._target = parts._replace(scheme="", netloc="").geturl() or "/"
        self._clock = clock
        self._logger = SampledLog(log, self._clock)
        self._keys: Mapping[str, IssuerKey] = {}
        self._flight: SingleFlight[str, None] = SingleFlight("issuer_keys")
        self._requested_at: float | None = None
        self._fetched_at: float | None = None

    def find(self, key_id: str) -> IssuerKey | None:
        """The key with that id; None when the issuer has no such key.

        May wait for the issuer, at most GATEWAY_HTTP_TIMEOUT_SECONDS; all callers that wait share one fetch.

        Raises:
            Unavailable: No keys could be fetched yet, so it is unknown whether the issuer has this one.
        """
        known = self._keys.get(key_id)
        # While one caller fetches new keys, the others use the old ones, because the pause begins with the fetch.
        if known is None or (self._are_old() and not self._pause_left()):
            self._flight.do("keys", self._refresh)
        if self._fetched_at is None:
            raise Unavailable("no keys of the issuer could be fetched", self._pause_left() or 1.0)
        return self._keys.get(key_id)

    def _are_old(self) -> bool:
        return self._fetched_at is None or self._clock.monotonic() - self._fetched_at >= AGE

    def _pause_left(self) -> float:
        return 0.0 if self._requested_at is None else max(0.0, self._requested_at + PAUSE - self._clock.monotonic())

    def _refresh(self) -> None:
        if self._pause_left():
            return
        self._requested_at = self._clock.monotonic()
        try:
            self._keys = self.fetch()
        except (TransientFailure, ValueError) as error:
            self._logger.error("issuer_keys_not_fetched", error=str(error))
        else:
            self._fetched_at = self._clock.monotonic()
            log.info("issuer_keys_fetched", keys=len(self._keys))

    def fetch(self) -> Mapping[str, IssuerKey]:
        """Fetch the issuer's keys now, without keeping them.

        Raises:
            TransientFailure: The issuer can't be reached.
            ValueError: Its answer is no usable key set.
        """
        try:
            reply = self._http.call("GET", self._target)
        finally:
            self._http.close()  # the next call is an hour away
        if reply.status != 200:
            raise ValueError(f"HTTP {reply.status}")
        return read_keys(reply.body)


def read_keys(body: bytes) -> Mapping[str, IssuerKey]:
    """The usable keys of a JSON Web Key Set, by id: those for signatures by RS256 or ES256. Others are left out.

    Raises:
        ValueError: The body is no key set, or none of its keys is usable.
    """
    try:
        found = foreign_json.read(body)
    except foreign_json.NotJson:
        raise ValueError("the answer is not JSON") from None
    items = found.get("keys") if isinstance(found, dict) else None
    keys = dict(_usable(items[:_MOST_KEYS])) if isinstance(items, list) else {}
    if not keys:
        raise ValueError("the answer has no keys with ids for RS256 or ES256")
    return keys


def _usable(items: list[Any]) -> Iterator[tuple[str, IssuerKey]]:
    for item in paced(items):
        try:
            key = _key(item) if _is_for_signatures(item) else None
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):  # one bad key must not cost the others
            continue
        if key is not None and item.get("alg") in (None, key.algorithm):
            yield item["kid"], key


def _is_for_signatures(item: Mapping[str, Any]) -> bool:
    has_id = isinstance(item["kid"], str)
    return has_id and item.get("use") in (None, "sig") and "verify" in item.get("key_ops", ("verify",))


def _key(item: Mapping[str, Any]) -> IssuerKey | None:
    # Only the public members are imported: if the set held a private key by mistake, it would not be kept.
    if item["kty"] == "RSA" and len(urlsafe_b64decode(item["n"] + "==")) * 8 >= _LEAST_RSA_BITS:
        return IssuerKey(algorithm="RS256", key=RSAKey.import_key({name: item[name] for name in _RSA_MEMBERS}))
    if item["kty"] == "EC" and item["crv"] == "P-256":
        return IssuerKey(algorithm="ES256", key=ECKey.import_key({name: item[name] for name in _EC_MEMBERS}))
    return None
