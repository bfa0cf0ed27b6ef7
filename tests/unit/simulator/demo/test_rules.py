"""What the demo concludes, and how it shows things."""

import io
from typing import Any

import pytest

from genesys_gateway.simulator.demo.screen import Screen
from genesys_gateway.simulator.demo.verdict import missing


def record(session: str) -> dict[str, Any]:
    return {"interactionId": "c", "body": {"participantId": "p", "sessionId": session}}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_missing_when_each_is_stored_once_and_all_are_logged() -> None:
    assert missing(["c/p/s", "c/p/t"], [record("t"), record("s")], {"c": "logged"}) == ()


@pytest.mark.parametrize(
    ("announced", "stored", "outcome", "said"),
    [
        (["c/p/s"], [], "logged", "no record of after-call work c/p/s"),
        (["c/p/s"], ["s", "s"], "logged", "2 records of after-call work c/p/s"),
        ([], ["s"], "logged", "a record of what nobody did: c/p/s"),
        (["c/p/s"], ["s"], "subscribed", "conversation c is subscribed, not logged"),
        (["c/p/s"], ["s"], "no_acw", "conversation c is no_acw, not logged"),
    ],
)
def test_whatever_is_not_as_it_should_be_is_named(
    announced: list[str], stored: list[str], outcome: str, said: str
) -> None:
    assert missing(announced, [record(session) for session in stored], {"c": outcome}) == (said,)


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(stream: io.StringIO, environ: dict[str, str], coloured: bool) -> None:
    Screen.on(stream, environ).success("done")
    assert ("\x1b[" in stream.getvalue()) is coloured
    assert "done" in stream.getvalue()


def test_what_travels_stands_in_columns() -> None:
    stream = io.StringIO()
    screen = Screen.on(stream, {})
    screen.travels("BOFE", "gateway", "POST", "201")
    screen.travels("customer", "Genesys", "hangs up")
    first, second = stream.getvalue().splitlines()
    assert first.index("→") == second.index("→")
    assert first.endswith("201")
    assert second.endswith("hangs up")


def test_a_column_is_as_wide_as_its_longest_cell() -> None:
    stream = io.StringIO()
    Screen.on(stream, {}).table(("a", "b"), [("long cell", "x"), ("y", "z")])
    assert stream.getvalue() == "  a          b\n  long cell  x\n  y          z\n"


def test_a_stream_that_knows_no_arrow_gets_a_question_mark() -> None:
    buffer = io.BytesIO()
    terminal = io.TextIOWrapper(buffer, "ascii")
    Screen.on(terminal, {}).travels("a", "b", "c")
    assert b"a ? b" in buffer.getvalue()
