"""The private key and the certificate for signing SAML assertions, read and checked together.

Invariant: the key is never shown. A message names the setting of the file and what is wrong, never its content.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from genesys_gateway.settings.text_file import read_text

#: Maximum size of a file in bytes.
_MAX_BYTES = 64 * 1024
#: Minimum length of an RSA key in bits; a shorter one can be broken.
_MIN_BITS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key, and its certificate, with which Genesys verifies the signatures."""

    private: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    @classmethod
    def read(cls, key_file: Path, certificate_file: Path) -> "SigningKey":
        """Read both from PEM files. Raises ValueError if one is unusable or they don't belong together."""
        key, certificate = private_key(key_file), certificate_in(certificate_file)
        if certificate.public_key() != key.public_key():
            raise ValueError("GENESYS_SAML_KEY_FILE and GENESYS_SAML_CERTIFICATE_FILE do not belong together")
        return cls(private=key, certificate=certificate)

    def ends_at(self) -> datetime:
        """Return when the certificate expires, in UTC."""
        return self.certificate.not_valid_after_utc

    def ended(self, now: int) -> bool:
        """Whether the certificate has expired at ``now`` (epoch milliseconds)."""
        return self.ends_at().timestamp() * 1000 <= now


def private_key(file: Path) -> RSAPrivateKey:
    """Read the RSA key in a PEM file. Raises ValueError if it is unreadable, encrypted, too short or no RSA key."""
    name = "GENESYS_SAML_KEY_FILE"
    content = _read(file, name)
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise ValueError(
            f"{name} is protected by a passphrase; give the key without one, readable by us only"
        ) from None
    except ValueError:
        raise ValueError(f"{name} holds no private key in PEM form") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _MIN_BITS:
        raise ValueError(f"{name} must hold an RSA key of at least {_MIN_BITS} bits")
    return key


def certificate_in(file: Path) -> x509.Certificate:
    """Read the first certificate in a PEM file. Raises ValueError if there is none."""
    name = "GENESYS_SAML_CERTIFICATE_FILE"
    content = _read(file, name)
    try:
        return x509.load_pem_x509_certificate(content)
    except ValueError:
        raise ValueError(f"{name} holds no certificate in PEM form") from None


def _read(file: Path, name: str) -> bytes:
    try:
        return read_text(file, _MAX_BYTES).encode()
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
