"""Is a line for people pleasant to read, and harmless to their terminal?"""

import os
import pty
from collections.abc import Callable

import pytest

from genesys_gateway.runtime import log_format, logs
from tests.doubles.log_lines import logging_restored

AT = "2026-11-22T10:00:00.123456Z"
HOSTILE = "\x1b[2J\r\n\x07\u2028\ud800\x9b1A"


def event(name: str = "registered", level: str = "info", **fields: object) -> dict[str, object]:
    return {"at": AT, "level": level, "event": name, "logger": "a.module", **fields}


def test_a_line_has_time_level_event_and_fields_in_columns() -> None:
    line = log_format.as_text(event(conversation="c1", records=3))

    assert line == "10:00:00.123 info     registered             conversation=c1 records=3"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("HTTP 503", '"HTTP 503"'),
        ("", '""'),
        ('say "no"', '"say \\"no\\""'),
        ("a=b", '"a=b"'),
        (["c1", "c2"], "c1,c2"),
        ([], '""'),
        (1.5, "1.5"),
        (False, "False"),
        ({"a": 1}, '"{\\"a\\":1}"'),
    ],
)
def test_a_value_that_is_no_plain_word_is_quoted(value: object, text: str) -> None:
    assert log_format.as_text(event(value=value)).endswith(f" value={text}")


def test_a_field_without_a_value_is_left_out() -> None:
    assert "cause" not in log_format.as_text(event(cause=None))


def test_a_traceback_is_indented_below_its_line() -> None:
    line = log_format.as_text(event("crashed", "error", exception="Traceback:\n  File x\nValueError: wrong"))

    assert line.splitlines()[1:] == ["    Traceback:", "      File x", "    ValueError: wrong"]


@pytest.mark.parametrize("render", [log_format.as_text, log_format.as_coloured_text])
@pytest.mark.parametrize("where", ["event", "level", "at", "field", "name", "list", "mapping", "exception"])
def test_nothing_from_outside_moves_the_cursor(render: Callable[[dict[str, object]], str], where: str) -> None:
    fields: dict[str, dict[str, object]] = {
        "field": {"value": HOSTILE},
        "name": {HOSTILE: 1},
        "list": {"value": [HOSTILE]},
        "mapping": {"value": {HOSTILE: HOSTILE}},
    }
    line = render(event() | fields.get(where, {where: HOSTILE}))

    for colour in ("\x1b[0m", "\x1b[2m", "\x1b[1m", "\x1b[32m"):
        line = line.replace(colour, "")
    assert line.replace("\n    ", "").isprintable()


def shown(style: str = "auto") -> str:
    """What a terminal gets for one event."""
    master, slave = pty.openpty()
    with logging_restored(), os.fdopen(slave, "w") as stream:
        logs.configure("info", style, stream)
        logs.get_logger("module").warning("socket_lost", channel="streaming-0")
        return os.read(master, 10_000).decode()


def test_a_terminal_gets_text_with_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    text = shown()

    assert "\x1b[33mwarning \x1b[0m" in text
    assert "\x1b[2mchannel=\x1b[0mstreaming-0" in text


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    assert shown().rstrip()[13:] == "warning  socket_lost            channel=streaming-0"


def test_a_terminal_gets_json_if_that_is_wanted() -> None:
    assert shown("json").startswith('{"at":')
