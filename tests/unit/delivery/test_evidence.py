"""What answers to single records say about the receiver: rows, suspects, blame, and who holds whom."""

import pytest

from genesys_gateway.delivery.evidence import (
    BLAME_AFTER,
    BREAK_AFTER,
    HOLD_AFTER,
    MISDEPLOYED_AFTER,
    MOST_REMEMBERED,
    PAUSE_AFTER,
    Evidence,
    Signal,
)
from genesys_gateway.delivery.outcome import LONGEST_HOLD, Outcome, Result, of_post
from genesys_gateway.domain.outbox import AttemptEnd

PATIENCE = 300.0
TURNED_AWAY = [301, 302, 307, 308, 403, 404]


class Counts(Evidence):
    """Evidence, with one line for each answer."""

    def __init__(self) -> None:
        super().__init__(PATIENCE)

    def answer(self, status: int, *names: str, at: float = 0.0, retry_after: float | None = None) -> Signal | None:
        """Answer these records one after the other; returns what the last answer says."""
        signal = None
        for name in names:
            signal = self.count(name, of_post(status, retry_after), at)
        return signal


@pytest.mark.parametrize("status", TURNED_AWAY)
def test_the_third_record_turned_away_in_a_row_speaks_of_the_deployment(status: int) -> None:
    counts = Counts()

    assert [counts.answer(status, name) for name in "abc"] == [None, None, Signal.MISDEPLOYED]
    assert counts.answer(status, "d") is Signal.MISDEPLOYED


def test_the_three_may_be_turned_away_in_different_ways() -> None:
    counts = Counts()
    counts.answer(403, "a")
    counts.answer(404, "b")

    assert counts.answer(302, "c") is Signal.MISDEPLOYED


@pytest.mark.parametrize("status", TURNED_AWAY)
def test_one_or_two_records_turned_away_again_and_again_say_nothing(status: int) -> None:
    counts = Counts()

    assert {counts.answer(status, name) for name in "ab" * 100} == {None}


@pytest.mark.parametrize("status", [200, 201, 409])
def test_a_success_starts_the_row_again(status: int) -> None:
    counts = Counts()
    counts.answer(403, "a", "b")
    counts.answer(status, "good")

    assert counts.answer(403, "c", "d") is None
    assert counts.answer(403, "e") is Signal.MISDEPLOYED


@pytest.mark.parametrize("status", [422, 503, 429])
def test_another_failure_between_does_not_start_the_row_again(status: int) -> None:
    counts = Counts()
    counts.answer(403, "a", "b")
    counts.answer(status, "other")

    assert counts.answer(403, "c") is Signal.MISDEPLOYED


def test_records_turned_away_while_others_got_through_say_nothing_any_more() -> None:
    counts = Counts()
    for name in "abcdefgh":
        counts.answer(403, name)
        counts.answer(201, "good")

    assert {counts.answer(403, name, at=PATIENCE - 1) for name in "abcdefgh"} == {None}


def test_they_count_again_once_nothing_has_got_through_for_a_while() -> None:
    counts = Counts()
    for name in "abc":
        counts.answer(403, name)
        counts.answer(201, "good")
    counts.answer(403, "a", at=1000.0)

    assert counts.answer(403, "a", "b", "c", at=1000.0 + PATIENCE - 1) is None
    assert counts.answer(403, "a", "b", at=1000.0 + PATIENCE) is None
    assert counts.answer(403, "c", at=1000.0 + PATIENCE) is Signal.MISDEPLOYED


def test_the_while_begins_with_the_first_failure_not_with_the_last_success() -> None:
    counts = Counts()
    for name in "abc":
        counts.answer(403, name)
    counts.answer(201, "good")

    assert counts.answer(403, "a", "b", "c", at=10 * PATIENCE) is None


def test_suspects_without_an_answer_count_again_once_nothing_has_got_through_for_a_while() -> None:
    counts = Counts()
    for n in range(BREAK_AFTER):
        counts.answer(503, f"r-{n}")
        counts.answer(201, "good")
    names = [f"r-{n}" for n in range(BREAK_AFTER)]

    assert counts.answer(503, *names, at=1.0) is None
    assert counts.answer(503, *names[:-1], at=1.0 + PATIENCE) is None
    assert counts.answer(503, names[-1], at=1.0 + PATIENCE) is Signal.OUTAGE


def test_a_suspect_that_gets_through_counts_again() -> None:
    counts = Counts()
    counts.answer(403, "a")
    counts.answer(201, "good", "a")

    assert counts.answer(403, "a", "b", "c") is Signal.MISDEPLOYED


def test_credentials_speak_of_the_deployment_at_once_but_not_those_of_one_record_alone() -> None:
    counts = Counts()

    assert counts.answer(401, "a") is Signal.MISDEPLOYED
    counts.answer(201, "good")
    assert counts.answer(401, "a", at=1.0) is None
    assert counts.answer(401, "b", at=1.0) is Signal.MISDEPLOYED
    assert counts.answer(401, "a", at=1.0 + PATIENCE) is Signal.MISDEPLOYED


@pytest.mark.parametrize("status", TURNED_AWAY)
def test_a_record_is_to_blame_after_five_times_if_others_got_through(status: int) -> None:
    counts = Counts()
    counts.answer(status, "bad")
    counts.answer(201, "good")
    for _ in range(BLAME_AFTER - 2):
        counts.answer(status, "bad")
    assert not counts.blames("bad", 0.0)

    counts.answer(status, "bad")

    assert counts.blames("bad", 0.0)
    assert not counts.blames("good", 0.0)


def test_no_record_is_to_blame_while_nothing_else_gets_through() -> None:
    counts = Counts()
    counts.answer(201, "earlier")

    for _ in range(10 * BLAME_AFTER):
        counts.answer(403, "a", "b")
        assert not counts.blames("a", 0.0)

    counts.answer(201, "good")
    counts.answer(403, "a")
    assert counts.blames("a", 0.0)


def test_no_record_is_to_blame_if_nothing_ever_got_through() -> None:
    counts = Counts()

    counts.answer(403, *["bad"] * BLAME_AFTER)

    assert not counts.blames("bad", 0.0)
    assert not counts.blames("never heard of", 0.0)


def test_no_record_is_to_blame_once_nothing_has_got_through_for_a_while() -> None:
    counts = Counts()
    counts.answer(403, "bad")
    counts.answer(201, "good")
    for _ in range(BLAME_AFTER):
        counts.answer(403, "bad", at=7.0)

    assert counts.blames("bad", 7.0 + PATIENCE - 1)
    assert not counts.blames("bad", 7.0 + PATIENCE)


def test_what_speaks_of_the_deployment_is_held_against_no_record() -> None:
    counts = Counts()
    counts.answer(403, *"ab" * BLAME_AFTER)
    counts.answer(403, *"cdab" * BLAME_AFTER)
    counts.answer(201, "good")

    assert [counts.answer(403, name) for name in "abcd"] == [None] * (MISDEPLOYED_AFTER + 1)
    assert not any(counts.blames(name, 0.0) for name in "abcd")


def test_another_kind_of_failure_is_no_blame() -> None:
    counts = Counts()
    counts.answer(403, "bad")
    counts.answer(201, "good")
    for status in (401, 408, 422, 429, 500, 503):
        counts.answer(status, *["bad"] * BLAME_AFTER)

    assert not counts.blames("bad", 0.0)


def test_a_record_that_was_given_up_starts_afresh() -> None:
    counts = Counts()
    counts.answer(403, "bad")
    counts.answer(201, "good")
    counts.answer(403, *["bad"] * BLAME_AFTER)

    counts.forget("bad")

    assert not counts.failed_last("bad")
    counts.answer(403, "bad")
    counts.answer(201, "good")
    assert not counts.blames("bad", 0.0)


def test_a_retry_after_of_one_record_holds_no_other() -> None:
    counts = Counts()

    counts.answer(503, *["a"] * 10, retry_after=100.0)

    assert counts.held_until == 0.0


def test_told_to_two_in_a_row_it_holds_all_for_the_longest() -> None:
    counts = Counts()
    counts.answer(503, "a", at=5.0, retry_after=100.0)
    counts.answer(429, "b", at=10.0, retry_after=7.0)
    assert counts.held_until == 105.0

    counts.answer(503, "c", at=11.0, retry_after=1e9)
    assert counts.held_until == 11.0 + LONGEST_HOLD

    counts.answer(503, "d", at=12.0, retry_after=1.0)
    assert counts.held_until == 11.0 + LONGEST_HOLD, "a shorter one does not end a longer one"


def test_a_success_between_starts_that_row_again_and_ends_no_hold() -> None:
    counts = Counts()
    counts.answer(503, "a", retry_after=100.0)
    counts.answer(201, "good")
    counts.answer(503, "b", retry_after=100.0)
    assert counts.held_until == 0.0

    counts.answer(503, "c", retry_after=50.0)
    counts.answer(201, "good")
    assert counts.held_until == 100.0


def test_the_longest_wait_of_one_record_counts() -> None:
    counts = Counts()
    counts.answer(503, "a", retry_after=100.0)
    counts.answer(503, "a", "b", retry_after=0.5)
    assert counts.held_until == 100.0

    counts = Counts()
    counts.answer(503, "a", "b", retry_after=0.5)
    assert counts.held_until == 0.5


def test_a_hold_is_not_shortened_by_the_next_row() -> None:
    counts = Counts()
    counts.answer(503, "a", "b", retry_after=100.0)
    counts.answer(201, "good")

    counts.answer(503, "c", "d", at=1.0, retry_after=2.0)

    assert counts.held_until == 100.0


def test_after_a_hold_of_two_a_single_one_holds_nobody() -> None:
    counts = Counts()
    counts.answer(503, "a", "b", retry_after=100.0)

    counts.answer(503, "c", at=100.0, retry_after=100.0)

    assert counts.held_until == 100.0


def test_after_a_hold_two_have_to_be_told_again() -> None:
    counts = Counts()
    counts.answer(503, "a", "b", retry_after=100.0)
    counts.answer(503, "c", at=99.0, retry_after=3.0)
    assert counts.held_until == 102.0, "the hold was not over"

    counts.answer(503, "a", at=102.0, retry_after=100.0)
    assert counts.held_until == 102.0
    counts.answer(503, "d", at=102.0, retry_after=50.0)
    assert counts.held_until == 202.0


def test_records_told_so_while_others_got_through_hold_nobody_until_nothing_gets_through() -> None:
    counts = Counts()
    for name in "abcd":
        counts.answer(503, name, retry_after=100.0)
        counts.answer(201, "good")

    counts.answer(503, *"abcd", at=1.0, retry_after=100.0)
    assert counts.held_until == 0.0
    counts.answer(503, *"ab"[:HOLD_AFTER], at=1.0 + PATIENCE, retry_after=100.0)
    assert counts.held_until == 1.0 + PATIENCE + 100.0


@pytest.mark.parametrize("status", [401, 403, 302])
def test_any_failure_can_tell_a_retry_after(status: int) -> None:
    counts = Counts()

    counts.answer(status, "a", "b", retry_after=30.0)

    assert counts.held_until == 30.0


def ends(*lines: tuple[str, str | None]) -> list[AttemptEnd]:
    return [AttemptEnd(record_id=one, error=error, dead=error == "HTTP 422") for one, error in lines]


def test_every_row_goes_on_after_a_restart() -> None:
    counts = Counts()
    counts.remember(ends(("a", "HTTP 403"), ("b", "HTTP 404")), now=0.0)
    assert counts.answer(403, "c") is Signal.MISDEPLOYED

    counts = Counts()
    counts.remember(ends(*((f"r-{n}", "no connection in time") for n in range(BREAK_AFTER - 1))), now=0.0)
    assert counts.answer(503, "last") is Signal.OUTAGE

    counts = Counts()
    counts.remember(ends(*((f"r-{n}", "HTTP 422") for n in range(PAUSE_AFTER - 1))), now=0.0)
    assert counts.answer(422, "last") is Signal.REFUSED_ALIKE
    assert counts.to_revive() == (*(f"r-{n}" for n in range(PAUSE_AFTER - 1)), "last")


def test_blame_and_suspicion_go_on_after_a_restart() -> None:
    counts = Counts()
    counts.remember(ends(("bad", "HTTP 403"), ("good", None), *[("bad", "HTTP 403")] * 3), now=0.0)
    assert not counts.blames("bad", 0.0)

    counts.answer(403, "bad")

    assert counts.blames("bad", 0.0)
    assert counts.answer(403, "b", "c") is None, "the bad one is no evidence"


def test_a_record_that_was_given_up_before_a_restart_starts_afresh() -> None:
    counts = Counts()
    given_up = AttemptEnd(record_id="bad", error="HTTP 403", dead=True)
    counts.remember([*ends(("bad", "HTTP 403"), ("good", None), *[("bad", "HTTP 403")] * 3), given_up], now=0.0)

    counts.answer(403, "bad")

    assert not counts.blames("bad", 0.0)


def test_the_patience_after_a_restart_begins_with_it() -> None:
    counts = Counts()
    counts.remember(ends(("a", "HTTP 401"), ("good", None), ("a", "HTTP 401")), now=50.0)

    assert counts.answer(401, "a", at=50.0 + PATIENCE - 1) is None
    assert counts.answer(401, "a", at=50.0 + PATIENCE) is Signal.MISDEPLOYED


def test_a_refusal_shows_that_the_receiver_answers() -> None:
    counts = Counts()
    names = [f"r-{n}" for n in range(BREAK_AFTER - 1)]
    counts.answer(503, *names)
    counts.answer(422, "refused")

    assert counts.answer(503, *names, "another") is None


def test_no_more_are_revived_than_had_been_given_up() -> None:
    counts = Counts()
    names = [f"r-{n}" for n in range(PAUSE_AFTER + 3)]

    counts.answer(422, *names)

    assert counts.to_revive() == tuple(names[:PAUSE_AFTER])
    assert counts.to_revive() == ()


def test_the_last_failures_are_known_until_the_next_success() -> None:
    counts = Counts()
    counts.answer(403, "a")
    counts.answer(422, "b")
    assert [counts.failed_last(name) for name in "abc"] == [True, True, False]

    counts.answer(201, "c")

    assert not counts.failed_last("a")


def test_memory_is_bounded_and_the_oldest_are_forgotten_first() -> None:
    counts = Counts()
    for n in range(MOST_REMEMBERED + 1):
        counts.answer(500, f"r-{n}")

    assert not counts.failed_last("r-0")
    assert counts.failed_last("r-1")
    assert counts.failed_last(f"r-{MOST_REMEMBERED}")

    counts.answer(500, "r-1", "one more")
    assert counts.failed_last("r-1"), "it failed again, so it is not the oldest"
    assert not counts.failed_last("r-2")


def test_an_outage_in_which_only_suspects_are_tried_is_noticed_within_the_longest_back_off() -> None:
    counts, unreached = Counts(), Result(outcome=Outcome.UNREACHED, error="no connection")
    names = [f"r-{n}" for n in range(100)]
    for name in names:
        counts.count(name, unreached, 0.0)
        counts.answer(201, "good")

    found = [
        counts.count(name, unreached, at)
        for at in range(int(PATIENCE) + 1)
        for name in names[at % 5 :: 5]  # each is tried once in five seconds
    ]

    first = next(place for place, signal in enumerate(found) if signal is Signal.OUTAGE)
    assert len(found) - first < 20
