"""Text that is not quite JSON, put into what is sent about one conversation (F68).

Invariant: quotes and brackets stay balanced, as at a sender that cuts texts or writes numbers carelessly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

#: What stands behind the notes, by kind.
_BEHIND_NOTES = {
    "high_half": rb"\ud83d",
    "low_half": rb"\ude00",
    "reversed_halves": rb"\ude00\ud83d",
    "half_in_utf8": b"\xed\xa0\xbd",
    "cut_utf8": b"\xf0\x9f\x98",
    "not_utf8": b"\xff",
    "nul": rb"\u0000",
    "raw_nul": b"\x00",
    "raw_control": b"\x01",
}
#: The value of a field that nobody reads, by kind.
_VALUES = {
    "nan": b"NaN",
    "infinity": b"-Infinity",
    "long_number": b"9" * 10_000,
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "no_json": b"undefined",
}
_HALF_KEY, _HALF_ID, _LARGE = "half_key", "half_id", "large"
#: What stands there as it is sent, by kind.
ODD = {**_BEHIND_NOTES, **_VALUES}
KINDS = (*ODD, _HALF_KEY, _HALF_ID, _LARGE)

_NOTES = ("notes", "wrapupNotes", "wrapUpNote")
#: An agent's participant, in events and in analytics.
_IDS = ("participantId",)
_MARK = "where-the-odd-text-goes"
_FIELD = "unusedField"
_FILLING = {"name": "tTalk", "emitDate": "2026-11-27T10:00:00.000Z", "value": 1234}


def spoiled(answer: Mapping[str, Any], params: Mapping[str, Any]) -> bytes:
    """The JSON of an answer, or of an event's body, with text of the fault's `kind` in it."""
    kind = str(params.get("kind", "high_half"))
    if kind in _BEHIND_NOTES:
        return _dumped(_marked(answer, _NOTES), _BEHIND_NOTES[kind])
    if kind == _HALF_ID:
        return _dumped(_marked(answer, _IDS), rb"\ud83d")
    if kind == _HALF_KEY:
        return _dumped({**answer, _FIELD + _MARK: 1}, rb"\ud83d")
    if kind == _LARGE:
        one = orjson.dumps(_FILLING)
        count = int(params.get("bytes", 1_000_000)) // len(one)
        if "conversationId" in answer and "participants" in answer:
            return orjson.dumps(_with_metrics(answer, count))
        return with_value(answer, _FIELD, b"[%s]" % b",".join([one] * count))
    return with_value(answer, _FIELD, _VALUES.get(kind, b"undefined"))


def with_value(answer: Mapping[str, Any], name: str, value: bytes) -> bytes:
    """The JSON of an answer whose field `name` has the given bytes as its value."""
    return orjson.dumps({**answer, name: _MARK}).replace(b'"%s"' % _MARK.encode(), value)


def _with_metrics(value: Any, count: int) -> Any:
    """An answer of analytics whose sessions have so many more metrics each."""
    if isinstance(value, list):
        return [_with_metrics(item, count) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: [*item, *([_FILLING] * count)] if name == "metrics" else _with_metrics(item, count)
        for name, item in value.items()
    }


def _dumped(answer: Mapping[str, Any], odd: bytes) -> bytes:
    return orjson.dumps(answer).replace(_MARK.encode(), odd)


def _marked(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_marked(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: item + _MARK if name in names and isinstance(item, str) else _marked(item, names)
        for name, item in value.items()
    }
