"""The key and the certificate with which the gateway signs assertions, read and checked together.

Law: the key is never shown; a message names the file and what is wrong with it, never what is in it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

#: Largest file we read, in bytes.
_MAX_BYTES = 64 * 1024
#: Shorter RSA keys can be broken with enough machines.
_LEAST_BITS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key, and the certificate that Genesys knows it by."""

    private: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    @classmethod
    def read(cls, key_file: Path, certificate_file: Path) -> "SigningKey":
        """Both from PEM files. Raises ValueError when one can't be used, or they don't belong together."""
        key, certificate = private_key(key_file), certificate_in(certificate_file)
        if certificate.public_key() != key.public_key():
            raise ValueError("GENESYS_SAML_KEY_FILE and GENESYS_SAML_CERTIFICATE_FILE do not belong together")
        return cls(private=key, certificate=certificate)

    def ends_at(self) -> datetime:
        """Until when the certificate is good."""
        return self.certificate.not_valid_after_utc

    def ended(self, now: int) -> bool:
        """Whether that is over; ``now`` in epoch milliseconds."""
        return self.ends_at().timestamp() * 1000 <= now


def private_key(file: Path) -> RSAPrivateKey:
    """The RSA key in a PEM file. Raises ValueError."""
    name = "GENESYS_SAML_KEY_FILE"
    try:
        key = load_pem_private_key(_read(file, name), password=None)
    except TypeError:
        raise ValueError(
            f"{name} is protected by a passphrase; give the key without one, readable by us only"
        ) from None
    except ValueError:
        raise ValueError(f"{name} holds no private key in PEM form") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _LEAST_BITS:
        raise ValueError(f"{name} must hold an RSA key of at least {_LEAST_BITS} bits")
    return key


def certificate_in(file: Path) -> x509.Certificate:
    """The first certificate in a PEM file. Raises ValueError."""
    name = "GENESYS_SAML_CERTIFICATE_FILE"
    try:
        return x509.load_pem_x509_certificate(_read(file, name))
    except ValueError:
        raise ValueError(f"{name} holds no certificate in PEM form") from None


def _read(file: Path, name: str) -> bytes:
    try:
        with file.open("rb") as content:
            return content.read(_MAX_BYTES)
    except OSError as error:
        raise ValueError(f"{name} can't be read: {error.strerror}") from error
