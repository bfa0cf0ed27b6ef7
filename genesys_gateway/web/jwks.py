"""The public keys of the issuer of callers' tokens: fetched when one is needed, kept, and fetched anew.

Law: what callers send can have keys fetched once a minute at most, and never from another address than the one set.
Keys that were fetched once stay good while the issuer can't be reached.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import TransientFailure, Unavailable
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.single_flight import SingleFlight
from genesys_gateway.settings import Settings

log = get_logger(__name__)

#: Seconds between two questions to the issuer at least, however they end.
PAUSE = 60.0
#: Seconds after which keys are asked for anew although none is missing: one may have been taken back.
AGE = 3600.0
#: No issuer has more; each costs a millisecond to read.
_MOST_KEYS = 100
_LEAST_RSA_BITS = 2048
#: What may stand in a key beside its numbers and is looked at. Anything else in it is left alone.
_RSA = ("kty", "n", "e")
_EC = ("kty", "crv", "x", "y")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKey:
    """A public key and the one algorithm it may be used with."""

    #: RS256 or ES256
    algorithm: str
    key: RSAKey | ECKey = field(repr=False)


class Jwks:
    """The keys by their ids.

    Args:
        settings: With the address of the key set.
        clock: Its monotonic time counts.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        parts = urlsplit(settings.oidc_jwks_url or "")
        self._http = HttpClient(settings, f"{parts.scheme}://{parts.netloc}", clock, 1)
        self._target = parts._replace(scheme="", netloc="").geturl() or "/"
        self._clock = clock
        self._keys: Mapping[str, IssuerKey] = {}
        self._flight: SingleFlight[str, None] = SingleFlight()
        self._asked_at: float | None = None
        self._fetched_at: float | None = None

    def find(self, key_id: str) -> IssuerKey | None:
        """The key with that id; None when the issuer has none.

        May wait for the issuer, within GATEWAY_HTTP_TIMEOUT_SECONDS; all who ask meanwhile wait for the same answer.

        Raises:
            Unavailable: No keys could be fetched yet, so that nothing can be said about any.
        """
        known = self._keys.get(key_id)
        # With an old key in hand one caller asks, and the others need not wait for it.
        if known is None or (self._are_old() and not self._pause_left()):
            self._flight.do("keys", self._fetch)
        if self._fetched_at is None:
            raise Unavailable("no keys of the issuer could be fetched", self._pause_left() or 1.0)
        return self._keys.get(key_id)

    def _are_old(self) -> bool:
        return self._fetched_at is None or self._clock.monotonic() - self._fetched_at >= AGE

    def _pause_left(self) -> float:
        return 0.0 if self._asked_at is None else max(0.0, self._asked_at + PAUSE - self._clock.monotonic())

    def _fetch(self) -> None:
        if self._pause_left():
            return
        self._asked_at = self._clock.monotonic()
        try:
            self._keys = self.ask()
        except (TransientFailure, ValueError) as error:
            log.error("issuer_keys_not_fetched", error=str(error))
        else:
            self._fetched_at = self._clock.monotonic()
            log.info("issuer_keys_fetched", keys=len(self._keys))

    def ask(self) -> Mapping[str, IssuerKey]:
        """The keys as the issuer has them now; nothing is kept of them.

        Raises:
            TransientFailure: The issuer can't be reached.
            ValueError: Its answer is no key set that can be used.
        """
        try:
            reply = self._http.call("GET", self._target)
        finally:
            self._http.close()  # the next call is an hour away
        if reply.status != 200:
            raise ValueError(f"HTTP {reply.status}")
        return read_keys(reply.body)


def read_keys(body: bytes) -> Mapping[str, IssuerKey]:
    """The keys of a JSON Web Key Set that may sign, by id. Others in it are left out.

    Raises:
        ValueError: It is no key set, or no key of it can be used.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the answer is not JSON") from None
    items = found.get("keys") if isinstance(found, dict) else None
    keys = dict(_usable(items[:_MOST_KEYS])) if isinstance(items, list) else {}
    if not keys:
        raise ValueError("the answer has no keys with ids for RS256 or ES256")
    return keys


def _usable(items: list[Any]) -> Iterator[tuple[str, IssuerKey]]:
    for item in items:
        try:
            key = _key(item) if _may_sign(item) else None
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):  # of many keys one may be odd
            continue
        if key is not None and item.get("alg") in (None, key.algorithm):
            yield item["kid"], key


def _may_sign(item: Mapping[str, Any]) -> bool:
    named = isinstance(item["kid"], str)
    return named and item.get("use") in (None, "sig") and "verify" in item.get("key_ops", ("verify",))


def _key(item: Mapping[str, Any]) -> IssuerKey | None:
    # Only public numbers: were the set to hold a secret one, it would not get into this process.
    if item["kty"] == "RSA" and len(urlsafe_b64decode(item["n"] + "==")) * 8 >= _LEAST_RSA_BITS:
        return IssuerKey(algorithm="RS256", key=RSAKey.import_key({name: item[name] for name in _RSA}))
    if item["kty"] == "EC" and item["crv"] == "P-256":
        return IssuerKey(algorithm="ES256", key=ECKey.import_key({name: item[name] for name in _EC}))
    return None
