"""What the bodies of the control API may say: the kind of each parameter, checked before anything is done.

Invariant: a parameter of a wrong kind is refused with its name, what it has to be, and what was given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genesys_gateway.simulator.errors import ControlError

#: How much faster than real time may pass at most.
MOST_SPEED = 1_000_000
_LONGEST_SECONDS = 366 * 86_400.0
_MOST = 100_000
_MOST_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Kind:
    """What a parameter has to be, in words and as a test."""

    says: str
    holds: Callable[[Any], bool]


def _number(low: float, high: float, *, whole: bool = False, null: bool = False) -> Kind:
    types = int if whole else (int, float)

    def holds(value: Any) -> bool:
        return isinstance(value, types) and not isinstance(value, bool) and low <= value <= high

    kind = Kind(f"a {'whole ' if whole else ''}number from {low:g} to {high:g}", holds)
    return _or_null(kind) if null else kind


def _or_null(kind: Kind) -> Kind:
    return Kind(f"{kind.says}, or null", lambda value: value is None or kind.holds(value))


def _is_agent(value: Any) -> bool:
    return isinstance(value, dict) and _TEXT.holds(value.get("userId")) and isinstance(value.get("name", ""), str)


def _is_rules(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return False
    for one in value:
        _check_each(one, _RULE)
    return True


_TEXT = Kind("a text", lambda value: isinstance(value, str) and value != "")
_ANY_TEXT = Kind("a text, or null", lambda value: value is None or isinstance(value, str))
_FLAG = Kind("true or false", lambda value: isinstance(value, bool))
_OBJECT = Kind("an object", lambda value: isinstance(value, dict))
_TEXTS = Kind("a list of texts", lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value))
_TEXT_OR_NUMBER = Kind(
    "a text or a number", lambda value: isinstance(value, (str, int, float)) and not isinstance(value, bool)
)
_TEXT_OR_TEXTS = Kind("a text or a list of texts", lambda value: isinstance(value, str) or _TEXTS.holds(value))
_SECONDS = _number(0, _LONGEST_SECONDS)
_COUNT = _number(1, _MOST, whole=True)
_STATUS = _number(100, 599, whole=True)
_BYTES = _number(0, _MOST_BYTES, whole=True)
_RATE = _number(0.001, math.inf)

_CONVERSATION: Mapping[str, Kind] = {
    **dict.fromkeys(("mediaType", "direction", "agentDirection", "customerPurpose", "state", "number"), _TEXT),
    **dict.fromkeys(("conversationId", "messageType", "queueId", "participantId", "code", "notes"), _ANY_TEXT),
    **dict.fromkeys(("ani", "dnis", "addressFrom", "addressTo", "subject"), _ANY_TEXT),
    **dict.fromkeys(("acw", "dialled", "expected", "held"), _FLAG),
    "callbackNumbers": _or_null(_TEXTS),
    "agent": _or_null(Kind('an object such as {"userId": "…", "name": "…"}', _is_agent)),
    "changes": _OBJECT,
    "afterSeconds": _SECONDS,
    "durationMs": _number(0, 1000 * _LONGEST_SECONDS, whole=True),
    "segments": _COUNT,
    "count": _number(0, _MOST, whole=True),
}
_RULE: Mapping[str, Kind] = {
    "mode": _TEXT_OR_NUMBER,
    "count": _or_null(_COUNT),
    **dict.fromkeys(("ids", "conversations", "customers"), _TEXTS),
    "containing": Kind("a text", lambda value: isinstance(value, str)),
    "retryAfter": _TEXT_OR_NUMBER,
    "delaySeconds": _SECONDS,
}
_HISTORY: Mapping[str, Kind] = {
    **_RULE,
    "rules": Kind("a list of objects", _is_rules),
    **dict.fromkeys(("deduplicate", "lookup"), _FLAG),
    **dict.fromkeys(("repeatStatus", "lookupStatus"), _STATUS),
    "token": _ANY_TEXT,
}
_CHANNEL: Mapping[str, Kind] = {
    **dict.fromkeys(("notice", "goodbye"), _FLAG),
    "afterSeconds": _SECONDS,
    "code": _number(1000, 4999, whole=True),
    "topics": _or_null(_TEXTS),
    **dict.fromkeys(("reason", "garbage", "text"), _TEXT),
    "bytes": _BYTES,
    "depth": _BYTES,
    "times": _COUNT,
}
_NAME: Mapping[str, Kind] = {"id": _TEXT, "name": _ANY_TEXT}

#: First part of a path below `/_sim` -> its parameters. Settings and traffic check their own; others have none.
PARAMETERS: Mapping[str, Mapping[str, Kind]] = {
    "conversations": _CONVERSATION,
    "wrapup-all": {"perSecond": _RATE, "code": _ANY_TEXT},
    "traffic": {"abandon": _FLAG},
    "history": _HISTORY,
    "channels": _CHANNEL,
    "clients": {
        **dict.fromkeys(("id", "secret"), _TEXT),
        "grant": Kind(
            "saml2-bearer or client-credentials", lambda value: value in (None, "saml2-bearer", "client-credentials")
        ),
        **dict.fromkeys(("permissions", "missing"), _TEXTS),
    },
    "users": _NAME,
    "wrapup-codes": _NAME,
    "clock": {"speed": _number(0, MOST_SPEED), "advance": _number(-_LONGEST_SECONDS, _LONGEST_SECONDS)},
    "faults": {
        **_CHANNEL,
        **_HISTORY,
        **dict.fromkeys(
            ("name", "method", "path", "channel", "topic", "conversation", "view", "as", "uri", "kind"), _TEXT
        ),
        "seconds": _or_null(_SECONDS),
        "status": _STATUS,
        "headers": _or_null(_OBJECT),
        "bytesPerSecond": _RATE,
        "fields": _TEXT_OR_TEXTS,
        "result": _TEXT_OR_NUMBER,
    },
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "clients": ("id", "secret"),
    "users": ("id", "name"),
    "wrapup-codes": ("id", "name"),
}


def check_parameters(method: str, path: str, body: Mapping[str, Any]) -> None:
    """Check the parameters of one call.

    Raises:
        ControlError: One is missing or of a wrong kind.
    """
    part = path.strip("/").split("/")[1:2]
    kinds = PARAMETERS.get(part[0], {}) if part else {}
    if method == "POST":
        for name in _NEEDED.get(part[0], ()) if part else ():
            if name not in body:
                raise ControlError(f"{name} is missing: it is {kinds[name].says}")
    _check_each(body, kinds)


def _check_each(body: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
    for name, value in body.items():
        if name in kinds and not kinds[name].holds(value):
            raise ControlError(f"{name} is {kinds[name].says}, not {value!r:.100}")
