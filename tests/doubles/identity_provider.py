"""An identity provider's key and certificate for tests, and settings that sign with them."""

import datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

AUDIENCE = "https://gateway.bank.example/genesys"
ISSUER = "https://gateway.bank.example/identity"
SUBJECT = "gateway@bank.example"

_KEY_FORM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)


def pair(who: str = "gateway", bits: int = 2048, days: int = 365) -> tuple[bytes, bytes]:
    """Key and certificate as PEM; the same for the same arguments, because making one takes a moment."""
    return _pair(who, bits, days)


@cache
def _pair(who: str, bits: int, days: int) -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - datetime.timedelta(days=700))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(*_KEY_FORM, serialization.NoEncryption())
    return pem, certificate.public_bytes(serialization.Encoding.PEM)


def locked_key() -> bytes:
    """The usual key behind a passphrase."""
    key = serialization.load_pem_private_key(pair()[0], None)
    return key.private_bytes(*_KEY_FORM, serialization.BestAvailableEncryption(b"passphrase"))


def signing(folder: Path, who: str = "gateway", bits: int = 2048, days: int = 365) -> dict[str, str]:
    """The variables of a gateway that signs, with its files in that folder."""
    key, certificate = pair(who, bits, days)
    for name, content in (("key.pem", key), ("certificate.pem", certificate)):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return {
        "GENESYS_GRANT_TYPE": "saml2-bearer",
        "GENESYS_ORG_NAME": "simulator-org",
        "GENESYS_SAML_KEY_FILE": str(folder / "key.pem"),
        "GENESYS_SAML_CERTIFICATE_FILE": str(folder / "certificate.pem"),
        "GENESYS_SAML_ISSUER": ISSUER,
        "GENESYS_SAML_SUBJECT": SUBJECT,
        "GENESYS_SAML_AUDIENCE": AUDIENCE,
    }
