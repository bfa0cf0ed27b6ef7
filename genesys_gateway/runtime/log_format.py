"""Makes the text of a log line: a JSON object for programs, or aligned words for people.

Invariant: no data from outside can break a line, add one or move the cursor of a terminal, because control characters
are always escaped.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TextIO

import orjson

#: Makes the line of an event from its fields, which begin with ``at``, ``level``, ``event`` and ``logger``.
Render = Callable[[Mapping[str, object]], str]

#: Width of the column of the event. A longer one moves the rest of its line.
_EVENT_WIDTH = 22
_RESET, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
_COLOURS = {
    "debug": _DIM,
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}

#: A dataclass becomes its ``str``, which leaves out what it hides.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
_encode_json = json.JSONEncoder(default=str, allow_nan=False).encode
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: A value that is not one plain word: it stands in quotes.
_NO_WORD = re.compile(r"[\s\"=]|^$")


def of(style: str, stream: TextIO) -> Render:
    """Return what makes the lines of a stream.

    Args:
        style: ``json``, ``text``, or ``auto``, which is text if the stream is a terminal. Others count as ``json``.
        stream: A terminal gets colours, unless the environment has NO_COLOR, or TERM is ``dumb``.
    """
    wanted = style.strip().lower()
    if wanted == "text" or (wanted == "auto" and stream.isatty()):
        return as_coloured_text if _takes_colours(stream) else as_text
    return as_json


def as_json(event: Mapping[str, object]) -> str:
    """One JSON object."""
    try:
        # Five times faster. It does not escape what is not ASCII, some of which breaks lines.
        line = orjson.dumps(event, str, _OPTIONS)
        if line.isascii():
            return line.decode()
    except TypeError:
        pass  # half a character, a large number, an unusual key
    try:
        return _encode_json(event)
    except (ValueError, TypeError, RecursionError):
        # The line must not be lost because JSON can't express a value: NaN, a cycle, an unusual key.
        return json.dumps({str(key): str(value) for key, value in event.items()})


def as_text(event: Mapping[str, object]) -> str:
    """Time of day (UTC), level, event and fields in one line; a traceback follows, indented."""
    return _text(event, lambda _style, text: text)


def as_coloured_text(event: Mapping[str, object]) -> str:
    """The same, with the level in a colour, the time and the names of fields dimmed."""
    return _text(event, lambda style, text: f"{style}{text}{_RESET}")


def escaped(text: str) -> str:
    """The text with control characters, line breaks and lone surrogates replaced by escape sequences."""
    return _UNPRINTABLE.sub(lambda found: repr(found.group())[1:-1], text)


def _takes_colours(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _text(event: Mapping[str, object], paint: Callable[[str, str], str]) -> str:
    rest = dict(event)
    at, level, name = (escaped(str(rest.pop(key, "-"))) for key in ("at", "level", "event"))
    rest.pop("logger", None)
    trace = rest.pop("exception", None)
    colour = _COLOURS.get(level, "")
    is_alarming = level not in ("debug", "info")
    words = [
        paint(_DIM, at[11:23]),
        paint(colour, f"{level:8}"),
        paint(_BOLD, f"{name:{_EVENT_WIDTH}}") if is_alarming else f"{name:{_EVENT_WIDTH}}",
        *(paint(_DIM, f"{escaped(key)}=") + _word(value) for key, value in rest.items() if value is not None),
    ]
    line = " ".join(words).rstrip()
    return "\n    ".join([line, *(escaped(part) for part in str(trace).splitlines())]) if trace else line


def _word(value: object) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, Mapping):
        text = as_json({str(key): one for key, one in value.items()})
    elif isinstance(value, list | tuple | set) and all(isinstance(one, str | int) for one in value):
        text = _joined(value)
    else:
        text = str(value)
    text = escaped(text)
    return '"' + text.replace('"', '\\"') + '"' if _NO_WORD.search(text) else text


def _joined(values: Iterable[object]) -> str:
    return ",".join(str(one) for one in values)
