"""The environment variables of a gateway that can start, and what Settings makes of changes to them."""

import pytest

from genesys_gateway.settings import Settings, SettingsError

GOOD = {
    "GENESYS_ENVIRONMENT": "mypurecloud.jp",
    "GENESYS_GRANT_TYPE": "client-credentials",
    "GENESYS_CLIENT_ID": "client",
    "GENESYS_CLIENT_SECRET": "canary-client-secret",
    "COMMUNICATION_HISTORY_URL": "https://history.bank.example/api/",
    "GATEWAY_TOKENS": "bofe:canary-bofe-token-0001,ops:canary-ops-token-00001",
}
OIDC = {
    "GATEWAY_OIDC_ISSUER": "https://issuer.example",
    "GATEWAY_OIDC_AUDIENCE": "genesys-gateway",
    "GATEWAY_OIDC_JWKS_URL": "https://issuer.example/keys?of=servers",
}
QUEUE = "0D9F3F0C-6f0e-5b52-9d3f-7a0a6c1e2b44"


def good_without(name: str) -> dict[str, str]:
    return {other: value for other, value in GOOD.items() if other != name}


def read(**changes: str) -> Settings:
    return Settings.from_environment(GOOD | changes)


def mistakes(*without: str, **changes: str) -> list[str]:
    """The mistakes of an environment that lacks some variables and changes others."""
    environ = {name: value for name, value in (GOOD | changes).items() if name not in without}
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environ)
    return list(caught.value.mistakes)
