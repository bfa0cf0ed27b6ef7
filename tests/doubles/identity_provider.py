"""Keys and certificates of an identity provider, and the environment of a gateway that signs with them."""

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


def pair(name: str = "gateway", bits: int = 2048, days: int = 365) -> tuple[bytes, bytes]:
    """Key and certificate in PEM form; cached by the arguments, because making a key is slow."""
    return _pair(name, bits, days)


@cache
def _pair(name: str, bits: int, days: int) -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - datetime.timedelta(days=700))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(*_KEY_FORM, serialization.NoEncryption())
    return pem, certificate.public_bytes(serialization.Encoding.PEM)


def locked_key() -> bytes:
    """The default key, encrypted with a passphrase."""
    key = serialization.load_pem_private_key(pair()[0], None)
    return key.private_bytes(*_KEY_FORM, serialization.BestAvailableEncryption(b"passphrase"))


def signing(folder: Path, name: str = "gateway", bits: int = 2048, days: int = 365) -> dict[str, str]:
    """The environment variables of a gateway that signs; writes its key and certificate into that folder."""
    key, certificate = pair(name, bits, days)
    for file, content in (("key.pem", key), ("certificate.pem", certificate)):
        (folder / file).write_bytes(content)
        (folder / file).chmod(0o600)
    return {
        "GENESYS_GRANT_TYPE": "saml2-bearer",
        "GENESYS_ORG_NAME": "simulator-org",
        "GENESYS_SAML_KEY_FILE": str(folder / "key.pem"),
        "GENESYS_SAML_CERTIFICATE_FILE": str(folder / "certificate.pem"),
        "GENESYS_SAML_ISSUER": ISSUER,
        "GENESYS_SAML_SUBJECT": SUBJECT,
        "GENESYS_SAML_AUDIENCE": AUDIENCE,
    }
