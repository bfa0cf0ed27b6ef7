"""The figures of a load, computed from ledgers that are made up."""

from math import inf

import pytest

from tests.benchmarks.motion.figures import (
    Ledger,
    Window,
    class_of,
    delays,
    figures,
    population,
    recordings,
    seconds_between,
)
from tests.doubles.ledgers import call, conversation, record, work

WINDOW = Window(begin=0, end=100_000)


def test_what_never_happened_is_infinitely_late() -> None:
    found = delays([1.0] * 98 + [inf] * 2)

    assert (found.median, found.p99, found.most, found.never) == (1.0, inf, inf, 2)
    assert str(found) == "1.00, never, never s (100, 2 never)"


def test_what_came_first_was_not_late() -> None:
    assert seconds_between(5000, 4000) == 0
    assert seconds_between(5000, 7500) == 2.5
    assert seconds_between(5000, None) == inf


def test_each_work_is_paired_with_its_own_record() -> None:
    finished = [work("a", 1000), work("b", 1000), work("c", 1000), work("d", 1000, expected=False)]
    records = [record("b", "1970-01-01T00:00:03.000Z", "backfill"), record("a", "1970-01-01T00:00:01.500Z")]

    found = recordings(finished, records)

    assert [(one.seconds, one.source) for one in found] == [(0.5, "live"), (2.0, "backfill"), (inf, "lost")]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "notifications/channels", "channels"),
        ("GET", "notifications/channels/a/subscriptions", "channels"),
        ("POST", "notifications/channels/a/subscriptions", "subscriptions"),
        ("PUT", "notifications/channels/a/subscriptions", "subscriptions"),
        ("GET", "users", "names"),
        ("GET", "users/u-1", "names"),
        ("GET", "routing/wrapupcodes/w-1", "names"),
        ("GET", "analytics/conversations/details", "bulk questions"),
        ("GET", "conversations/c-1", "live questions"),
    ],
)
def test_each_call_belongs_to_a_class(method: str, path: str, expected: str) -> None:
    assert class_of(call(method, path)) == expected


def test_a_conversation_needs_a_topic_from_its_registration_until_the_topic_is_given_back() -> None:
    two = [conversation(registered=10_000, unheard=40_000), conversation(registered=20_000, unheard=30_000)]

    found = population(two, WINDOW, capacity=1)

    assert (found.most, found.at_end, found.longest_above) == (2, 0, 10.0)


def test_a_conversation_that_never_had_a_topic_needs_one_until_the_end() -> None:
    found = population([conversation(registered=10_000, ended=20_000)], WINDOW, capacity=0)

    assert (found.at_end, found.longest_above) == (1, 90.0)


def test_the_mean_population_of_the_last_fifth_is_compared_with_the_fifth_before() -> None:
    found = population([conversation(registered=50_000), conversation(registered=90_000)], WINDOW, capacity=9)

    assert (found.before, found.last) == (1.0, 1.5)


def test_a_short_time_above_the_capacity_starts_anew_after_each_pause() -> None:
    stays = [(0, 10_000), (20_000, 50_000), (60_000, 70_000)]

    found = population([conversation(registered=came, unheard=left) for came, left in stays], WINDOW, capacity=0)

    assert found.longest_above == 30.0


def test_only_what_begins_under_load_is_judged_but_every_refusal_counts() -> None:
    before = conversation(registered=-5000, listened=-1000, ended=50_000, unheard=60_000)
    under = conversation(registered=10_000, listened=10_500, ended=99_000, unheard=150_000)
    after = conversation(registered=100_000, listened=130_000, ended=180_000)
    ledger = Ledger(
        conversations=[before, under, after],
        finished=[work("a", -1), work("b", 1000)],
        records=[record("b", "1970-01-01T00:00:01.200Z")],
        calls=[call("GET", "users", 5000), call("GET", "users", -5000, 429), call("GET", "conversations/c", 100_000)],
    )

    found = figures(ledger, WINDOW, capacity=10)

    assert found.conversations == 1
    assert found.coverage.most == 0.5
    assert (found.given_back.median, found.given_back.count) == (51.0, 2)
    assert (found.live.count, found.live.most) == (1, 0.2)
    assert found.calls["names"] == pytest.approx(0.6)
    assert found.calls_per_conversation == 1  # three by three conversations
    assert found.refused == 1
