"""Is a repetition one line a minute with a count, and is none lost?"""

import io
from collections.abc import Iterator

import pytest

from genesys_gateway.runtime import logs
from genesys_gateway.runtime.sampled_log import MOST_KINDS, PERIOD_SECONDS, SampledLog, flush_all, flush_ended
from tests.doubles.log_lines import configured, logging_restored, written
from tests.doubles.runtime import FakeClock


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    with logging_restored():
        yield configured()


def _sampled(clock: FakeClock) -> SampledLog:
    return SampledLog(logs.get_logger("module"), clock, most={"record_dead": 20})


def _counted(stream: io.StringIO) -> int:
    return sum(1 + line.get("repeated", 0) for line in written(stream))


def _times(event: str, stream: io.StringIO) -> int:
    return sum(line["event"] == event for line in written(stream))


def test_the_first_time_is_logged_at_once_with_its_fields(stream: io.StringIO) -> None:
    sampled = _sampled(FakeClock())

    sampled.warning("attempt_failed", error="HTTP 503", record="r")

    (line,) = written(stream)
    assert (line["level"], line["event"], line["record"], line["logger"]) == (
        "warning",
        "attempt_failed",
        "r",
        "module",
    )
    assert "repeated" not in line


def test_a_thousand_repetitions_are_one_line_a_minute_with_their_number(stream: io.StringIO) -> None:
    clock = FakeClock()
    sampled = _sampled(clock)

    for _ in range(1000):
        sampled.warning("attempt_failed", error="HTTP 503")
        clock.advance(0.15)  # 150 s in all

    lines = written(stream)
    assert len(lines) == 3
    assert [line.get("repeated") for line in lines] == [None, 399, 399]
    sampled.over()
    assert _counted(stream) == 1000


def test_another_kind_is_logged_at_once(stream: io.StringIO) -> None:
    sampled = _sampled(FakeClock())

    sampled.warning("attempt_failed", error="HTTP 503")
    sampled.warning("attempt_failed", error="timeout")
    sampled.warning("delivery_held", error="timeout")

    assert len(written(stream)) == 3


def test_the_end_logs_the_latest_repetition_with_the_number_of_the_others(stream: io.StringIO) -> None:
    sampled = _sampled(FakeClock())
    for number in range(4):
        sampled.error("socket_lost", error="reset", losses=number)

    sampled.over()
    sampled.error("socket_lost", error="reset", losses=9)

    assert [(line["losses"], line.get("repeated")) for line in written(stream)] == [(0, None), (3, 2), (9, None)]


def test_what_did_not_happen_for_a_minute_is_over(stream: io.StringIO) -> None:
    clock = FakeClock()
    sampled = _sampled(clock)
    sampled.info("of_this_test")
    clock.advance(PERIOD_SECONDS - 1)
    sampled.info("of_this_test")

    clock.advance(PERIOD_SECONDS - 1)
    flush_ended()
    assert _times("of_this_test", stream) == 1
    clock.advance(1)
    flush_ended()
    flush_ended()

    assert _times("of_this_test", stream) == 2


def test_what_was_counted_is_logged_at_the_end_of_the_process(stream: io.StringIO) -> None:
    sampled = _sampled(FakeClock())
    for _ in range(3):
        sampled.info("of_this_test")

    flush_all()

    assert [line.get("repeated") for line in written(stream) if line["event"] == "of_this_test"] == [None, 1]


def test_some_lines_a_minute_may_be_written_each(stream: io.StringIO) -> None:
    clock = FakeClock()
    sampled = _sampled(clock)

    for number in range(50):
        sampled.error("record_dead", error="HTTP 422", record=number)

    assert [line["record"] for line in written(stream)] == list(range(20))
    sampled.over()
    assert _counted(stream) == 50


def test_kinds_without_number_take_no_memory_without_bound_and_none_is_lost(stream: io.StringIO) -> None:
    sampled = _sampled(FakeClock())

    for number in range(3 * MOST_KINDS):
        sampled.warning("odd", reason=number)
        sampled.warning("odd", reason=number)

    assert len(sampled._kinds) == MOST_KINDS
    sampled.over()
    assert _counted(stream) == 6 * MOST_KINDS


def test_only_the_first_line_has_the_traceback(stream: io.StringIO) -> None:
    sampled = _sampled(FakeClock())

    for _ in range(3):
        try:
            raise ValueError("wrong")
        except ValueError:
            sampled.exception("request_failed", route="/")
    sampled.over()

    first, last = written(stream)
    assert first["exception"].endswith("ValueError: wrong")
    assert ("exception" in last, last["level"], last["repeated"]) == (False, "error", 1)


def test_the_conversations_of_repetitions_are_found_by_their_ids(stream: io.StringIO) -> None:
    sampled = _sampled(FakeClock())
    for number in range(200):
        sampled.warning("attempt_failed", error="HTTP 503", conversation=f"c{number}")

    sampled.over()

    _, last = written(stream)
    assert (last["conversation"], last["repeated"], len(last["ids"])) == ("c199", 198, 50)
    assert last["ids"][:2] == ["c1", "c2"]
