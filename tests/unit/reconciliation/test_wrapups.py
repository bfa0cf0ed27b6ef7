"""Several wrap-up segments of one session: which belong together, which wrap-up counts, and what it says."""

from itertools import permutations
from typing import Any

import pytest

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.reconciliation.evidence import all_wrapped_up, finished_acw
from genesys_gateway.runtime.clock import parse_iso
from tests.doubles.analytics_answers import TALK, agent, details_of, session

K, L = "7fb334b0-0e9e-11e4-9191-0800200c9a66", "5d1f6a4e-3a55-4b5e-9f0f-0f6c5d3f1a01"

#: Code, notes, queue, end, and duration in seconds.
Wrapup = tuple[str | None, str | None, str, str, float | None]


def segment(start: str | None, end: str | None, **more: Any) -> dict[str, Any]:
    """A wrap-up segment; times are minutes and seconds after ten o'clock."""
    return {"segmentType": "wrapup", "segmentStart": _moment(start), "segmentEnd": _moment(end), **more}


def _moment(text: str | None) -> str | None:
    return text and f"2026-11-22T10:{text}Z"


def wrapup(*segments: dict[str, Any], **more: Any) -> Wrapup | None:
    """What the session with these segments was wrapped up as; None while it is not."""
    found = finished_acw(details_of(agent(1, session(1, *segments, **more))))
    assert len(found) <= 1
    return _wrapup(*found) if found else None


def _wrapup(event: AcwEvent) -> Wrapup:
    assert event.queue_id is not None
    assert event.event_time is not None
    minutes, milliseconds = divmod(event.event_time - (parse_iso("2026-11-22T10:00:00Z") or 0), 60_000)
    end = f"{minutes:02}:{milliseconds / 1000:04.1f}".removesuffix(".0")
    duration = event.wrapup_duration_ms
    return event.wrapup_code, event.wrapup_notes, event.queue_id, end, None if duration is None else duration / 1000


NOTED = {"wrapUpCode": K, "wrapUpNote": "n"}

ROWS: list[tuple[str, list[dict[str, Any]], Wrapup | None]] = [
    (
        "the code is in the first part",
        [segment("05:00", "05:20", **NOTED), segment("05:20", "05:43")],
        (K, "n", "queue-1", "05:43", 43.0),
    ),
    (
        "the code is in the last part",
        [segment("05:00", "05:20"), segment("05:20", "05:43", **NOTED)],
        (K, "n", "queue-1", "05:43", 43.0),
    ),
    (
        "code and notes in different parts, and each changed",
        [
            segment("05:00", "05:10", wrapUpCode=L, wrapUpNote="draft"),
            segment("05:10", "05:20", wrapUpCode=K),
            segment("05:20", "05:30", wrapUpNote="n", queueId="QUEUE-9"),
            segment("05:30", "05:43", wrapUpCode="", wrapUpNote="", queueId=""),
        ],
        (K, "n", "queue-9", "05:43", 43.0),
    ),
    (
        "rounded to seconds: no gap",
        [segment("05:00", "05:20", **NOTED), segment("05:20.999", "05:43")],
        (K, "n", "queue-1", "05:43", 43.0),
    ),
    (
        "a second is a gap",
        [segment("05:00", "05:20", **NOTED), segment("05:21", "05:43", wrapUpCode=L)],
        (L, None, "queue-1", "05:43", 22.0),
    ),
    (
        "wrapped up twice: the last counts, and durations are not added",
        [segment("05:00", "05:20", **NOTED), segment("45:00", "45:30", wrapUpCode=L, wrapUpNote="m")],
        (L, "m", "queue-1", "45:30", 30.0),
    ),
    (
        "wrapped up twice, each time in parts",
        [
            segment("05:00", "05:20", **NOTED),
            segment("05:20", "05:43"),
            segment("45:00", "45:10", wrapUpCode=L),
            segment("45:10", "45:30", wrapUpNote="m"),
        ],
        (L, "m", "queue-1", "45:30", 30.0),
    ),
    (
        "they overlap",
        [segment("05:00", "05:30", **NOTED), segment("05:20", "05:43", wrapUpCode=L)],
        (L, "n", "queue-1", "05:43", 43.0),
    ),
    (
        "one within another: the one that ended last goes first",
        [segment("05:00", "05:43", **NOTED), segment("05:20", "05:30", wrapUpCode=L, wrapUpNote="m")],
        (K, "n", "queue-1", "05:43", 43.0),
    ),
    ("no time at all", [segment("05:00", "05:00", **NOTED)], (K, "n", "queue-1", "05:00", 0.0)),
    ("twice the same", [segment("05:00", "05:43", **NOTED)] * 2, (K, "n", "queue-1", "05:43", 43.0)),
    (
        "the last part has no end",
        [segment("05:00", "05:20", **NOTED), segment("05:20", None)],
        None,
    ),
    (
        "the second wrap-up has no end",
        [segment("05:00", "05:20", **NOTED), segment("45:00", None)],
        None,
    ),
    (
        "a part without a start: nobody knows how long it took",
        [segment(None, "05:20", **NOTED), segment("05:20", "05:43")],
        (K, "n", "queue-1", "05:43", None),
    ),
    (
        "a start behind its end is none",
        [segment("05:50", "05:20", **NOTED), segment("05:20", "05:43")],
        (K, "n", "queue-1", "05:43", None),
    ),
]


@pytest.mark.parametrize(("segments", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_parts_of_a_wrapup_are_joined_and_the_last_wrapup_counts(
    segments: list[dict[str, Any]], expected: Wrapup | None
) -> None:
    for order in permutations(segments):
        assert wrapup(*order) == expected


@pytest.mark.parametrize(
    "values", [[20_000, 23_000], [43_000], [20_000, 30_000], [50_000], [], [20_000, 30_000, 1_000_000]]
)
def test_the_metrics_of_several_segments_are_not_added(values: list[int]) -> None:
    metrics = [{"name": "tAcw", "value": value} for value in values]
    parts = [segment("05:00", "05:20", **NOTED), segment("05:20", "05:43")]
    twice = [segment("05:00", "05:20"), segment("45:00", "45:30", **NOTED)]
    assert wrapup(*parts, metrics=metrics) == (K, "n", "queue-1", "05:43", 43.0)
    assert wrapup(*twice, metrics=metrics) == (K, "n", "queue-1", "45:30", 30.0)


def test_a_session_with_an_open_part_is_pending_whatever_came_before() -> None:
    details = details_of(agent(1, session(1, segment("05:00", "05:20", **NOTED), segment("45:00", None))))
    assert (details.acw_pending, all_wrapped_up(details)) == (True, False)


def test_a_reopened_message_is_wrapped_up_again_in_the_same_session() -> None:
    talks = [{**TALK, "segmentStart": _moment("40:00"), "segmentEnd": _moment(end)} for end in ("45:00", None)]
    before, after = segment("05:00", "05:20", **NOTED), segment("45:00", "45:30", wrapUpCode=L, wrapUpNote="m")

    at_it_again = details_of(agent(1, session(1, before, talks[1])), conversationEnd=None)
    over = details_of(agent(1, session(1, before, talks[0], after)), conversationEnd=_moment("45:00"))
    lagging = details_of(agent(1, session(1, before, talks[0])), conversationEnd=_moment("45:00"))

    assert finished_acw(at_it_again) == ()
    assert _wrapup(*finished_acw(over)) == (L, "m", "queue-1", "45:30", 30.0)
    assert finished_acw(lagging) == (), "its second wrap-up may only not be shown yet"
    assert _wrapup(*finished_acw(lagging, parse_iso(_moment("45:00") or ""))) == (K, "n", "queue-1", "05:20", 20.0)
