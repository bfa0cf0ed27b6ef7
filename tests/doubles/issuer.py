"""An issuer of callers' tokens: keys, key sets, and tokens good and bad."""

import json
from base64 import urlsafe_b64encode
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

ISSUER = "https://idp.bank.example/realms/servers"
AUDIENCE = "genesys-gateway"
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
#: Of nobody we trust.
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa-1"})


def key_set(*keys: RSAKey | ECKey, **changes: Any) -> bytes:
    """A JSON Web Key Set; ``changes`` are made to each key."""
    return json.dumps({"keys": [key.as_dict(private=False) | changes for key in keys or (RSA, EC)]}).encode()


def claims(now: int, **changes: Any) -> dict[str, Any]:
    """Of a good token at that moment (epoch milliseconds); a change to None leaves a claim out."""
    at = now // 1000
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "bofe-server",
        "roles": ["bofe"],
        "iat": at,
        "nbf": at,
        "exp": at + 300,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def sign(told: dict[str, Any], key: RSAKey | ECKey = RSA, **header: Any) -> str:
    """A token with these claims; by default its header is as it should be."""
    whole = {"alg": "RS256" if isinstance(key, RSAKey) else "ES256", "typ": "JWT", "kid": key.kid} | header
    present = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(present, told, key, default_type=None)


def unsigned(header: dict[str, Any], told: Any, signature: bytes = b"") -> str:
    """Whatever is given, in the shape of a token."""
    parts = [json.dumps(header).encode(), told if isinstance(told, bytes) else json.dumps(told).encode(), signature]
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
