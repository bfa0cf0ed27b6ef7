"""Settings of the simulated cloud that can be changed while it runs. The defaults are Genesys's own values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from genesys_gateway.simulator.errors import ControlError


@dataclass(slots=True, kw_only=True)
class Options:
    """All settings. Durations are virtual seconds; the control API spells the names in camel case."""

    #: Lifetime of an access token (F4: 300 to 172,800 s, set on the OAuth client).
    token_seconds: float = 86_399
    #: Lifetime of a channel; subscribing starts it anew (F14).
    channel_seconds: float = 86_400
    #: Maximum number of channels per user and application; one more removes another (F12).
    channel_limit: int = 20
    #: Maximum number of topics on one channel (F19).
    topic_limit: int = 1000
    #: Maximum number of calls per token and minute (F58).
    calls_per_minute: int = 300
    #: Interval between two heartbeats (F27).
    heartbeat_seconds: float = 30
    #: Time from the closing notice to the close (F29).
    closing_seconds: float = 60
    #: How far analytics lag behind (F56).
    analytics_lag_seconds: float = 10
    #: Whether replies on a socket repeat the correlationId (F32: they may lack it).
    reply_correlation: bool = True
    #: Whether the topics of system notices end with the channel's id, and no_longer_subscribed names no topic (F30).
    notices_name_channel: bool = False
    #: Whether subscribing a topic on one channel unsubscribes it on the user's other channels (F30).
    exclusive_topics: bool = False
    #: Whether a callback's single wrap-up is announced for its voice session too (F40).
    callback_announces_voice: bool = True
    #: The identity provider's certificate as PEM; empty: any Base64 text is accepted as an assertion (F7).
    saml_certificate: str = ""
    #: The issuer that assertions must name if there is a certificate; empty: any.
    saml_issuer: str = ""
    #: The audience that assertions must name if there is a certificate; empty: any.
    saml_audience: str = ""
    #: Whether an assertion is refused when it is sent a second time (F5: not known of Genesys).
    refuse_replays: bool = False
    #: What `connectUri` begins with when a proxy stands in front of the simulator, e.g. `wss://streaming.example`.
    streaming_url: str = ""

    def as_json(self) -> dict[str, Any]:
        return {_camel(field.name): getattr(self, field.name) for field in fields(self)}

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change several options together.

        Raises:
            ControlError: A name is unknown or a value has the wrong type; nothing was changed.
        """
        known = {_camel(field.name): field for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ControlError(f"no such setting: {name}; there are {', '.join(known)}")
            # Without a pause between two heartbeats nothing else would ever be sent.
            if not _has_type(known[name].type, value) or (name == "heartbeatSeconds" and value == 0):
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
