"""The verdict about a load: each promise that is not kept is named."""

from dataclasses import replace

from tests.benchmarks.motion.figures import CLASSES, Delays, Figures, Population, delays
from tests.benchmarks.motion.loads import LOADS, Load
from tests.benchmarks.motion.verdict import claim
from tests.harness.report import Report, Verdict

SMALL, _, FULL, TROUBLED = LOADS
QUICK = Delays(count=100, median=0.01, p99=0.05, most=0.1)
LATE = replace(QUICK, p99=2.5)
KEPT = Figures(
    conversations=1500,
    unregistered=0,
    coverage=QUICK,
    live=QUICK,
    backfilled=QUICK,
    all_records=QUICK,
    given_back=QUICK,
    population=Population(most=200, at_end=190, longest_above=0, last=195, before=190),
    calls=dict.fromkeys(CLASSES, 10.0),
    calls_per_conversation=0.1,
    most_calls=150,
    refused=0,
)


def failed(load: Load, found: Figures) -> list[str]:
    report = Report("a load")
    claim(report, load, found)
    return [one.text for one in report.failed]


def test_a_load_under_which_every_promise_is_kept() -> None:
    assert [failed(load, KEPT) for load in LOADS] == [[], [], [], []]


def test_late_coverage_late_records_and_topics_kept_for_too_long_are_named() -> None:
    late = replace(KEPT, coverage=LATE, all_records=LATE, given_back=replace(QUICK, p99=200.0))

    assert failed(SMALL, late) == [
        "covered after the registration: 99 % within 0.5 s",
        "record after the event: 99 % within 0.1 s",
        "topic given back after the end: 99 % within 180 s",
    ]


def test_recovered_records_may_be_late_after_a_disruption_only() -> None:
    late = replace(KEPT, all_records=LATE)

    assert failed(TROUBLED, late) == []
    assert failed(FULL, late) == ["record after the event: 99 % within 1 s"]
    assert failed(TROUBLED, replace(KEPT, live=LATE)) == ["live record after the event: 99 % within 1 s"]


def test_a_population_that_grows_is_not_flat() -> None:
    assert failed(SMALL, replace(KEPT, population=replace(KEPT.population, last=250))) == ["the population is flat"]


def test_whether_it_is_flat_can_not_be_seen_in_a_short_time() -> None:
    report = Report("a load")
    claim(report, replace(SMALL, minutes=2), replace(KEPT, population=replace(KEPT.population, last=250)))

    assert [one.text for one in report.claims if one.verdict is Verdict.SKIP] == ["the population is flat"]


def test_a_promise_about_nothing_is_neither_kept_nor_broken() -> None:
    report = Report("a load")
    claim(report, SMALL, replace(KEPT, all_records=delays([])))

    assert [one.text for one in report.claims if one.verdict is Verdict.SKIP] == [
        "record after the event: 99 % within 0.1 s"
    ]


def test_a_full_load_may_exceed_the_capacity_for_a_moment() -> None:
    def above(seconds: float) -> Figures:
        return replace(KEPT, population=replace(KEPT.population, most=19_500, longest_above=seconds))

    assert failed(FULL, above(30)) == []
    assert len(failed(FULL, above(31))) == 1


def test_refusals_and_too_many_calls_are_named() -> None:
    assert failed(SMALL, replace(KEPT, refused=1, most_calls=301)) == [
        "no call refused with 429",
        "at most 300 calls in any minute",
    ]


def test_a_tenth_of_a_load_needs_more_than_a_tenth_of_the_calls() -> None:
    tenth = FULL.smaller(0.1, minutes=3)

    assert (tenth.per_minute, tenth.standing, tenth.capacity, tenth.calls) == (190, 1500, 1900, 98)
    assert tenth.promise.coverage_p99 == 6.1
    assert tenth.standing_seconds == FULL.standing_seconds == 150
    assert FULL.smaller(1.0, minutes=15) == FULL
