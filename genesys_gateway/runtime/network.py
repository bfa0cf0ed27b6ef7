"""The settings of the network, as every connection that leaves this process needs them.

Invariant: it names settings and does nothing.
"""

from pathlib import Path
from typing import Protocol


class Network(Protocol):
    """The settings of the network that a connection needs. :class:`~genesys_gateway.settings.Settings` is one."""

    @property
    def http_timeout_seconds(self) -> float:
        """Total time of one call."""

    @property
    def https_proxy(self) -> str | None:
        """URL of the proxy for TLS connections, if there is one."""

    @property
    def ca_bundle(self) -> Path | None:
        """Certificate authorities to trust instead of the system's."""

    def allows_plain_http_to(self, host: str) -> bool:
        """Whether calls to that host may be made without TLS."""

    def bypasses_proxy(self, host: str) -> bool:
        """Whether that host is reached without the proxy."""
