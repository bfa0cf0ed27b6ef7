"""Is every line one JSON object, wherever it comes from and whatever it contains?"""

import json
import logging
import math
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest

from genesys_gateway.runtime import logs
from tests.doubles.log_lines import configured, logging_restored, written

HOSTILE = 'a\nb\r\x00\x1b[31m\u2028\u0085"}\ud800{"level": "critical"}'


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    with logging_restored():
        yield


def test_an_event_is_one_line_with_its_fields() -> None:
    stream = configured()

    logs.get_logger("module").info("channel_opened", channel="streaming-0", topics=3)

    (line,) = written(stream)
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "info",
        "event": "channel_opened",
        "logger": "module",
        "channel": "streaming-0",
        "topics": 3,
    }


def test_lines_below_the_level_are_not_written() -> None:
    stream = configured("warning")

    logs.get_logger("module").info("quiet")
    logging.getLogger("library").info("quiet")

    assert stream.getvalue() == ""


@pytest.mark.parametrize("level", ["", "loud"])
def test_a_level_or_style_that_is_not_known_counts_as_the_default(level: str) -> None:
    stream = configured(level, level)

    logs.get_logger("module").debug("quiet")
    logs.get_logger("module").info("written")

    assert [line["event"] for line in written(stream)] == ["written"]


@pytest.mark.parametrize("style", ["json", "text"])
def test_nothing_that_comes_in_can_break_a_line(style: str) -> None:
    stream = configured(style=style)

    logs.get_logger("module").info("strange", value=HOSTILE, many=[HOSTILE], by=HOSTILE.encode("utf-8", "replace"))
    logging.getLogger("library").warning("took %s", HOSTILE)

    assert len(stream.getvalue().splitlines()) == 2
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("value", [math.nan, math.inf, {(1, 2): 3}, {1, 2}, object(), b"\xff"])
def test_a_value_json_has_no_word_for_does_not_cost_the_line(value: object) -> None:
    stream = configured()

    logs.get_logger("module").info("strange", value=value, id=7)

    (line,) = written(stream)
    assert (line["event"], str(line["id"])) == ("strange", "7")


def test_a_value_that_contains_itself_does_not_cost_the_line() -> None:
    stream = configured()
    endless: list[object] = []
    endless.append(endless)

    logs.get_logger("module").info("strange", value=endless)

    assert [line["event"] for line in written(stream)] == ["strange"]


def test_a_line_that_can_not_be_made_becomes_a_line_that_says_so() -> None:
    stream = configured()

    logging.getLogger("library").warning("%d", "no number")

    assert written(stream) == [{"level": "error", "event": "log_line_failed", "logger": "library"}]


def test_a_traceback_is_a_field() -> None:
    stream = configured()

    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logs.get_logger("module").exception("went_wrong", id=1)

    (line,) = written(stream)
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert "ValueError" in line["exception"]


def test_warnings_are_lines_too() -> None:
    stream = configured()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("careful", stacklevel=1)

    (line,) = written(stream)
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert "careful" in line["event"]


EVERYTHING = """
from gevent import monkey; monkey.patch_all()
import gevent, sys, threading
from genesys_gateway.runtime import logs
logs.configure("info", "json")
logs.capture_everything()
logs.capture_everything()
print("printed")
print("two\\nlines", file=sys.stderr)
gevent.spawn(lambda: 1 / 0).join()
gevent.get_hub().threadpool.spawn(lambda: logs.get_logger("x").info("from_a_thread")).get()
thread = threading.Thread(target=lambda: {}["missing"]); thread.start(); thread.join()
class Unraisable:
    def __del__(self): raise ValueError("in del")
Unraisable()
raise SystemError("the end")
"""


def test_what_bypasses_logging_is_logged_once_each() -> None:
    done = subprocess.run([sys.executable, "-c", EVERYTHING], capture_output=True, text=True, timeout=30)

    assert done.stdout == ""
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "printed",
        "two",
        "lines",
        "greenlet_died",
        "from_a_thread",
        "uncaught_error",
        "uncaught_error",
        "uncaught_error",
    ]
    errors = [line["exception"].splitlines()[-1] for line in lines if "exception" in line]
    assert errors == [
        "ZeroDivisionError: division by zero",
        "KeyError: 'missing'",
        "ValueError: in del",
        "SystemError: the end",
    ]


@pytest.mark.parametrize("library", ["sqlalchemy.engine.Engine", "urllib3.connectionpool", "websocket", "alembic"])
def test_libraries_do_not_write_what_they_handle_even_at_debug_level(library: str) -> None:
    stream = configured("debug")

    logging.getLogger(library).info("INSERT INTO conversation: canary")
    logging.getLogger(library).warning("something is wrong")

    assert [line["event"] for line in written(stream)] == ["something is wrong"]
