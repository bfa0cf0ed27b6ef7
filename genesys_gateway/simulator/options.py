"""Everything about the simulated cloud that may be turned while it runs, with Genesys's own values as defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from genesys_gateway.simulator.errors import ControlError


@dataclass(slots=True, kw_only=True)
class Options:
    """Durations are virtual seconds. The control API spells the names in camel case."""

    #: life of an access token (F4: 300 to 172,800 s, set on the OAuth client)
    token_seconds: float = 86_399
    #: life of a channel; subscribing starts it anew (F14)
    channel_seconds: float = 86_400
    #: channels per user and application before one is removed (F12)
    channel_limit: int = 20
    #: topics on one channel (F19)
    topic_limit: int = 1000
    #: calls of one token in a minute (F58)
    calls_per_minute: int = 300
    #: silence between two heartbeats (F27)
    heartbeat_seconds: float = 30
    #: from the closing notice to the close (F29)
    closing_seconds: float = 60
    #: how far analytics are behind (F56)
    analytics_lag_seconds: float = 10
    #: whether replies on a socket repeat the correlationId (F32: they may lack it)
    reply_correlation: bool = True
    #: whether a topic subscribed on one channel is taken from the user's others (F30)
    exclusive_topics: bool = False
    #: whether a callback's single wrap-up is announced for its voice session too (F40)
    callback_announces_voice: bool = True
    #: the identity provider's certificate as PEM; empty: any Base64 text is an assertion (F7)
    saml_certificate: str = ""
    #: what assertions must name besides, when there is a certificate; empty: anything
    saml_issuer: str = ""
    saml_audience: str = ""
    #: what `connectUri` begins with when something stands before the simulator, e.g. `wss://streaming.example`
    streaming_url: str = ""

    def as_json(self) -> dict[str, Any]:
        return {_camel(field.name): getattr(self, field.name) for field in fields(self)}

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change several options together. Raises ControlError, with nothing changed, for a bad name or type."""
        known = {_camel(field.name): field for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ControlError(f"no such setting: {name}; there are {', '.join(known)}")
            if not _has_type(known[name].type, value):
                raise ControlError(f"{name} can't be {value!r}")
        for name, value in changes.items():
            setattr(self, known[name].name, value)


def _has_type(kind: Any, value: object) -> bool:
    if kind == "str" or isinstance(value, str):
        return kind == "str" and isinstance(value, str)
    if kind == "bool" or isinstance(value, bool):
        return kind == "bool" and isinstance(value, bool)
    return isinstance(value, int if kind == "int" else (int, float)) and value >= 0


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
