"""The address that Genesys hands out for a socket, checked before anything is opened.

Law: an address out of an answer is never trusted. It may name the configured hosts and nothing else, in the plainest
form there is, so that no two readers of it can disagree about where it leads.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from genesys_gateway.runtime.errors import PermanentFailure

_URI = re.compile(
    r"(?P<scheme>wss?)://(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    # No semicolon: the library that connects takes it for the old way to end a path, and would leave the rest out.
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,=:/?%-]{0,2000})",
    re.ASCII,
)
_DEFAULT_PORT = {"ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectUri:
    """An address that passed."""

    uri: str
    host: str
    port: int
    #: whether the connection is encrypted
    secure: bool


def check(uri: str, hosts: Sequence[tuple[str, int | None]], may_be_plain: Callable[[str], bool]) -> ConnectUri:
    """Accept a ``connectUri`` or refuse it.

    Args:
        uri: As Genesys answered it; it is used exactly as given or not at all.
        hosts: What it may name, lower case; a port of None stands for the scheme's own.
        may_be_plain: Whether a host may be spoken to without TLS.

    Raises:
        PermanentFailure: It names another host or port, carries credentials, a fragment or odd characters, or is
            not encrypted.
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
