"""A report is read as it was written; what another release or a mistake put into it stops nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesys_gateway.oversight.finding import Finding
from genesys_gateway.oversight.report import Report, from_json, to_json
from genesys_gateway.oversight.status import ChannelStatus

CHANNEL = ChannelStatus(
    id="c", owner="a", state="open", topics=3, limit=1000, connected=True, expires_at=9, last_frame_at=8
)
REPORT = Report(
    findings=(Finding(code="no_token", since=5, facts={"error": "HTTP 503", "n": 2}),),
    channels=(CHANNEL,),
    shown={"no_token": 4},
)


def test_a_report_is_read_as_it_was_written() -> None:
    assert from_json(to_json(REPORT)) == REPORT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"findings": 3, "channels": "x", "shown": []}',
        '{"findings": [1, {}, {"code": "of_a_later_release", "since": 1}, {"code": "no_token", "since": "now"}]}',
        '{"channels": [null, {}, {"id": "c"}], "shown": {"of_a_later_release": 1, "no_token": "x"}}',
    ],
)
def test_what_cannot_be_understood_is_left_out(text: str) -> None:
    assert from_json(text) == Report()


def test_facts_that_are_neither_numbers_nor_words_are_left_out() -> None:
    text = (
        '{"findings": [{"code": "no_token", "since": 1, "facts": {"a": null, "b": 1.5, "c": true, "d": 7, "e": "x"}}]}'
    )

    assert from_json(text).findings == (Finding(code="no_token", since=1, facts={"d": 7, "e": "x"}),)


@given(st.text())
def test_no_text_stops_a_look(text: str) -> None:
    from_json(text)
