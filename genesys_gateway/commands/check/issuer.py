"""Checks that the issuer of callers' tokens answers with its keys, if there is an issuer."""

from collections import Counter
from collections.abc import Iterator

from genesys_gateway.commands.check.findings import Finding, good, wrong
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.settings import Settings
from genesys_gateway.web.jwks import Jwks

_AREA = "issuer of callers' tokens"
_ADVICE = "check GATEWAY_OIDC_JWKS_URL: it must answer with the issuer's key set, as its jwks_uri does"


def inspect(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """One finding about the issuer's keys; none without an issuer."""
    if settings.oidc_jwks_url is None:
        return
    try:
        keys = Jwks(settings, clock).fetch()
    except (TransientFailure, ValueError) as error:
        yield wrong(_AREA, f"no keys: {error}", _ADVICE)
    else:
        kinds = Counter(key.algorithm for key in keys.values())
        yield good(_AREA, "keys: " + ", ".join(f"{count} for {kind}" for kind, count in sorted(kinds.items())))
