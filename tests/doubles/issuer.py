"""An issuer of callers' tokens: its keys, its key set, and valid and invalid tokens."""

import json
from base64 import urlsafe_b64encode
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

ISSUER = "https://idp.bank.example/realms/servers"
AUDIENCE = "genesys-gateway"
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
#: A key with the id of one of the issuer's, but not the issuer's.
UNTRUSTED = RSAKey.generate_key(2048, {"kid": "rsa-1"})


def key_set(*keys: RSAKey | ECKey, **changes: Any) -> bytes:
    """A JSON Web Key Set, by default the issuer's; ``changes`` are applied to each key."""
    return json.dumps({"keys": [key.as_dict(private=False) | changes for key in keys or (RSA, EC)]}).encode()


def claims(now: int, **changes: Any) -> dict[str, Any]:
    """The claims of a token that is valid at ``now`` (epoch milliseconds); a change to None omits a claim."""
    at = now // 1000
    valid = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "bofe-server",
        "roles": ["bofe"],
        "iat": at,
        "nbf": at,
        "exp": at + 300,
    }
    return {name: value for name, value in (valid | changes).items() if value is not None}


def sign(payload: dict[str, Any], key: RSAKey | ECKey = RSA, **header: Any) -> str:
    """A token with these claims and a valid header; a change of the header to None omits that member."""
    whole = {"alg": "RS256" if isinstance(key, RSAKey) else "ES256", "typ": "JWT", "kid": key.kid} | header
    present = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(present, payload, key, default_type=None)


def unsigned(header: dict[str, Any], payload: Any, signature: bytes = b"") -> str:
    """Any header, payload and signature in the form of a token."""
    payload_bytes = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    parts = [json.dumps(header).encode(), payload_bytes, signature]
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
