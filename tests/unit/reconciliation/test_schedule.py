"""When Genesys is asked next: soon and often after a gap, otherwise at intervals that grow to an hour."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesys_gateway.reconciliation.schedule import (
    UNANSWERED_QUESTIONS,
    Unanswered,
    first_question,
    furthest,
    longest_unanswered,
    next_question,
    one_more,
    unknown_for_long,
)
from genesys_gateway.runtime.clock import DAY_SECONDS, HOUR_SECONDS, SKEW_MS

NOW = 1_763_805_600_000


def routine(asked: int, now: int = NOW, **changes: Any) -> float:
    """Seconds until the next question where nothing is in doubt."""
    at = next_question(now, asked=asked, doubt_since=None, reconcile_seconds=120, settle_seconds=300, **changes)
    return (at - now) / 1000


def doubtful(age: float, settle: float = 300, **changes: Any) -> float:
    """Seconds until the next question, ``age`` seconds after a gap ended."""
    since = NOW - round(age * 1000)
    at = next_question(NOW, asked=9, doubt_since=since, reconcile_seconds=120, settle_seconds=settle, **changes)
    return (at - NOW) / 1000


def test_routine_questions_double_to_one_an_hour() -> None:
    assert [routine(asked) for asked in range(7)] == [120, 240, 480, 960, 1920, 3600, 3600]
    assert routine(10**9) == HOUR_SECONDS


def test_under_load_each_end_is_noticed_in_time_to_give_its_topic_back() -> None:
    assert [routine(asked, under_load=True) for asked in (0, 1, 9)] == [420] * 3
    assert [routine(asked, under_load=True, has_record=True) for asked in range(5)] == [60, 120, 240, 420, 420]
    assert routine(0, under_load=True, longest_seconds=300) == 300


def test_under_load_the_questions_of_a_doubt_are_fewer_but_one_can_still_prove_it() -> None:
    ages = (0, 30, 60, 120, 240, 300, 600)
    assert [doubtful(age, under_load=True) for age in ages] == [30, 30, 60, 120, 60, 300, 300]


def test_under_load_a_new_conversation_is_asked_about_early_only_while_there_are_calls_to_spare() -> None:
    assert first_question(300, live=True, spare=True) == 0
    assert first_question(300, live=False, spare=True) == 25
    assert first_question(300, live=False, spare=False) == 300


def test_the_doubt_of_a_new_conversation_costs_no_question_before_its_proof() -> None:
    ages = (0, 25, 299, 300)
    assert [doubtful(age, fresh=True) for age in ages] == [300, 275, 1, 75]


def test_unknown_for_long_is_an_hour_by_default_and_less_where_timers_are_short() -> None:
    assert [unknown_for_long(first) for first in (120, 2, 600)] == [HOUR_SECONDS, 60, HOUR_SECONDS]


def test_after_a_gap_questions_start_close_together_and_thin_out() -> None:
    assert [doubtful(age) for age in (0, 10, 30, 60, 100, 200)] == [7.5, 7.5, 7.5, 15, 25, 50]


def test_one_question_falls_on_the_moment_at_which_analytics_are_complete() -> None:
    assert doubtful(290) == 10
    assert doubtful(299.999) == 0.001


def test_a_doubt_that_outlives_that_moment_is_asked_about_for_ever() -> None:
    assert [doubtful(age) for age in (300, 600, 1200, 10**7)] == [75, 150, 300, 300]


def test_a_gap_that_a_wrong_clock_dates_into_the_future_is_asked_about_soon() -> None:
    assert doubtful(-(10**6)) == 7.5


def test_no_question_is_planned_further_ahead_than_the_longest_of_all_waits() -> None:
    assert furthest(NOW, quiet_seconds=60, reconcile_seconds=120, settle_seconds=300) == NOW + 3_600_000 + SKEW_MS
    for longest in ((7200, 120, 1), (60, 7200, 1), (60, 120, 7200)):
        named = dict(zip(("quiet_seconds", "reconcile_seconds", "settle_seconds"), longest, strict=True))
        assert furthest(NOW, **named) == NOW + 7_200_000 + SKEW_MS


@given(
    now=st.integers(0, 10**13),
    asked=st.integers(0, 10**6),
    age=st.none() | st.integers(-(10**12), 10**12),
    reconcile=st.floats(0.01, 86400),
    settle=st.floats(0.1, 86400),
)
def test_the_next_question_is_ahead_but_never_far(
    now: int, asked: int, age: int | None, reconcile: float, settle: float
) -> None:
    since = None if age is None else now - age
    at = next_question(now, asked=asked, doubt_since=since, reconcile_seconds=reconcile, settle_seconds=settle)
    longest = min(HOUR_SECONDS, reconcile * 2.0**30) if since is None else settle
    assert now < at + 1
    assert at <= furthest(now, quiet_seconds=60, reconcile_seconds=reconcile, settle_seconds=settle)
    assert at - now <= round(longest * 1000) + 1


def test_a_conversation_in_doubt_is_asked_about_a_dozen_times_before_analytics_are_complete() -> None:
    now, questions = NOW, 0
    while now < NOW + 300_000:
        now = next_question(now, asked=questions, doubt_since=NOW, reconcile_seconds=120, settle_seconds=300)
        questions += 1
    assert now == NOW + 300_000
    assert 10 <= questions <= 15


def test_past_a_deadline_the_periods_stay_short() -> None:
    at = next_question(NOW, asked=9, doubt_since=None, reconcile_seconds=120, settle_seconds=300, longest_seconds=200.0)
    assert at == NOW + 200_000


DEADLINE_SECONDS = 259_200
DAY_MS = 86_400_000


def test_unanswered_questions_are_counted_from_the_deadline_on() -> None:
    assert one_more(NOW - 1, deadline_at=NOW, count=0, since=None) is None
    assert one_more(NOW, deadline_at=NOW, count=0, since=None) == Unanswered(count=1, since=NOW)
    assert one_more(NOW, deadline_at=NOW, count=3, since=NOW) == Unanswered(count=4, since=NOW)
    assert one_more(NOW + 5, deadline_at=NOW, count=3, since=NOW) == Unanswered(count=4, since=NOW)
    assert one_more(NOW + 5, deadline_at=NOW, count=3, since=NOW - 1) == Unanswered(count=1, since=NOW + 5)


def test_a_count_that_a_wrong_clock_began_in_the_future_begins_again() -> None:
    assert one_more(NOW, deadline_at=NOW, count=3, since=NOW + 1) == Unanswered(count=1, since=NOW)


@pytest.mark.parametrize(
    ("count", "after_ms", "given_up"),
    [
        (UNANSWERED_QUESTIONS, DAY_MS, True),
        (UNANSWERED_QUESTIONS - 1, DAY_MS, False),
        (UNANSWERED_QUESTIONS, DAY_MS - 1, False),
    ],
)
def test_it_takes_many_unanswered_questions_over_a_day(count: int, after_ms: int, given_up: bool) -> None:
    assert longest_unanswered(DEADLINE_SECONDS) == DAY_SECONDS
    assert Unanswered(count=count, since=NOW).given_up(NOW + after_ms, DEADLINE_SECONDS) == given_up
