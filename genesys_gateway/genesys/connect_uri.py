"""Checks the address that Genesys gives for a WebSocket, before anything is opened.

Invariant: an address from an answer is never trusted. It may name only the configured hosts, in so plain a form that
this module and the library that connects can't read different hosts from it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from genesys_gateway.runtime.errors import PermanentFailure

_URI = re.compile(
    r"(?P<scheme>wss?)://(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    # No semicolon: the library that connects treats it as the start of path parameters, and drops the rest.
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,=:/?%-]{0,2000})",
    re.ASCII,
)
_DEFAULT_PORT = {"ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectUri:
    """An address that passed the check."""

    uri: str
    host: str
    port: int
    #: whether the connection is encrypted
    secure: bool


def check(uri: str, hosts: Sequence[tuple[str, int | None]], may_be_plain: Callable[[str], bool]) -> ConnectUri:
    """Accept or reject a ``connectUri``.

    Args:
        uri: The address from Genesys's answer. It is used exactly as given or not at all.
        hosts: Host (lower case) and port of each permitted address; a port of None is the default port of the scheme.
        may_be_plain: Whether a connection to a host may go without TLS.

    Raises:
        PermanentFailure: The address names another host or port, has credentials, a fragment or unusual characters, or
            is not encrypted.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise PermanentFailure("connectUri is not a plain WebSocket address")
    scheme = match["scheme"]
    host = match["host"].strip("[]").lower()
    port = int(match["port"]) if match["port"] else _DEFAULT_PORT[scheme]
    if not any(host == name and port == (wanted or _DEFAULT_PORT[scheme]) for name, wanted in hosts):
        raise PermanentFailure("connectUri names a host that is not in GENESYS_STREAMING_HOSTS")
    if scheme == "ws" and not may_be_plain(host):
        raise PermanentFailure("connectUri is not encrypted")
    return ConnectUri(uri=uri, host=host, port=port, secure=scheme == "wss")
