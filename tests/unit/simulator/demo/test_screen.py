"""How the demo prints messages and tables, with colours and without."""

import io

import pytest

from genesys_gateway.simulator.demo.screen import Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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
    screen.message("BOFE", "gateway", "POST", "201")
    screen.message("customer", "Genesys", "hangs up")
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
    Screen.on(terminal, {}).message("a", "b", "c")
    assert b"a ? b" in buffer.getvalue()
