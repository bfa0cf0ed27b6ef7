"""What follows from each way an attempt can end."""

from random import Random

import pytest

from genesys_gateway.delivery.outcome import (
    LONGEST_HOLD,
    Outcome,
    Policy,
    Result,
    decide,
    of_error,
    of_lookup,
    of_post,
)
from genesys_gateway.domain.outbox import TRIED_TOO_LONG, Delivered, GiveUp, TryAgain

POLICY = Policy(base_ms=1000, max_ms=300_000, limit_ms=72 * 3_600_000)


def decided(
    result: Result,
    *,
    attempt: int = 1,
    waited_ms: int = 0,
    flowing: bool = True,
    seed: int = 1,
    to_blame: bool = False,
) -> Delivered | TryAgain | GiveUp:
    return decide(
        result,
        attempt=attempt,
        waited_ms=waited_ms,
        policy=POLICY,
        random=Random(seed),
        flowing=flowing,
        to_blame=to_blame,
    )


def again(result: Result, *, attempt: int = 1, waited_ms: int = 0, flowing: bool = True, seed: int = 1) -> TryAgain:
    decision = decided(result, attempt=attempt, waited_ms=waited_ms, flowing=flowing, seed=seed)
    assert isinstance(decision, TryAgain)
    return decision


@pytest.mark.parametrize(
    ("statuses", "outcome", "in_doubt"),
    [
        ((200, 201, 202, 204, 299, 409), Outcome.STORED, False),
        ((408, 425, 429), Outcome.LATER, False),
        ((401,), Outcome.MISDEPLOYED, False),
        ((403, 404, 300, 301, 302, 304, 307, 308, 399), Outcome.TURNED_AWAY, False),
        ((400, 402, 405, 406, 410, 411, 412, 413, 415, 418, 422, 428, 431, 451, 499), Outcome.REFUSED, False),
        ((500, 501, 502, 503, 504, 599, 100, 600, 999), Outcome.UNKNOWN, True),
    ],
)
def test_the_status_of_a_post_says_what_happened(statuses: tuple[int, ...], outcome: Outcome, in_doubt: bool) -> None:
    for status in statuses:
        result = of_post(status)
        assert (result.outcome, result.in_doubt) == (outcome, in_doubt), status


def test_a_lookup_that_finds_the_record_means_stored() -> None:
    result = of_lookup(200)

    assert result == Result(outcome=Outcome.STORED, from_lookup=True)
    assert decided(result) == Delivered()


@pytest.mark.parametrize("status", [403, 404, 405, 501])
def test_a_lookup_that_finds_nothing_or_is_not_offered_lets_the_record_be_sent(status: int) -> None:
    assert of_lookup(status) is None


@pytest.mark.parametrize("status", [201, 204, 301, 400, 401, 408, 409, 410, 418, 422, 425, 429, 500, 502, 503, 504])
def test_a_lookup_answered_otherwise_leaves_the_doubt_and_is_asked_again(status: int) -> None:
    result = of_lookup(status)

    assert result is not None
    assert again(result).in_doubt


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(408, Outcome.LATER), (429, Outcome.LATER), (499, Outcome.LATER), (500, Outcome.UNKNOWN), (503, Outcome.UNKNOWN)],
)
def test_what_a_lookup_says_holds_for_the_lookup(status: int, outcome: Outcome) -> None:
    error = f"lookup: HTTP {status}"

    assert of_lookup(status, 7.0) == Result(outcome=outcome, error=error, retry_after=7.0, from_lookup=True)


def test_a_failure_without_a_text_is_called_by_its_kind() -> None:
    assert again(Result(outcome=Outcome.UNREACHED)).error == "unreached"
    assert again(of_post(503)).error == "HTTP 503"


@pytest.mark.parametrize(
    ("outcome", "in_doubt"), [(Outcome.LATER, False), (Outcome.UNREACHED, False), (Outcome.UNKNOWN, True)]
)
def test_transient_failures_are_tried_again(outcome: Outcome, in_doubt: bool) -> None:
    assert again(Result(outcome=outcome, error="so")).in_doubt is in_doubt
    assert again(Result(outcome=outcome, error="so", from_lookup=True)).in_doubt


def test_a_refused_record_is_dead_at_once() -> None:
    assert decided(of_post(422)) == GiveUp(reason="refused with HTTP 422", in_doubt=False, error="HTTP 422")


@pytest.mark.parametrize("status", [302, 403, 404])
def test_a_record_that_is_turned_away_is_dead_only_if_it_is_to_blame(status: int) -> None:
    assert decided(of_post(status), to_blame=True) == GiveUp(
        reason=f"refused with HTTP {status}", in_doubt=False, error=f"HTTP {status}"
    )
    assert again(of_post(status), attempt=1000, waited_ms=10 * POLICY.limit_ms).counted_ms == 0
    assert isinstance(decided(of_post(status), to_blame=True, flowing=False), TryAgain)


@pytest.mark.parametrize("status", [401, 408, 429, 500, 503])
def test_blame_is_for_being_turned_away_only(status: int) -> None:
    assert isinstance(decided(of_post(status), to_blame=True), TryAgain)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("HTTP 401", Outcome.MISDEPLOYED),
        ("HTTP 404", Outcome.TURNED_AWAY),
        ("HTTP 422", Outcome.REFUSED),
        ("HTTP 429", Outcome.LATER),
        ("HTTP 503", Outcome.UNKNOWN),
        ("lookup: HTTP 403", Outcome.UNKNOWN),
        ("no connection in time", Outcome.UNKNOWN),
        ("", Outcome.UNKNOWN),
    ],
)
def test_a_stored_error_says_what_happened(error: str, outcome: Outcome) -> None:
    assert (of_error(error).outcome, of_error(error).error) == (outcome, error)


def test_nothing_is_held_against_a_record_while_deliveries_do_not_flow() -> None:
    for result in (of_post(422), of_post(401), of_post(403), of_post(503), Result(outcome=Outcome.UNREACHED)):
        decision = again(result, attempt=1000, waited_ms=10 * POLICY.limit_ms, flowing=False)
        assert decision.counted_ms == 0


def test_the_back_off_doubles_up_to_its_maximum_with_full_jitter() -> None:
    ceilings = {1: 1000, 2: 2000, 3: 4000, 8: 128_000, 9: 256_000, 10: 300_000, 100: 300_000, 10_000: 300_000}
    for attempt, ceiling in ceilings.items():
        waits = [again(of_post(503), attempt=attempt, seed=seed).after_ms for seed in range(200)]
        assert 0 <= min(waits) < ceiling * 0.05
        assert ceiling * 0.95 < max(waits) <= ceiling


def test_the_same_seed_gives_the_same_wait() -> None:
    assert again(of_post(503), seed=7) == again(of_post(503), seed=7)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 503])
@pytest.mark.parametrize(
    ("asked_seconds", "least_ms"), [(0.0, 0), (7.0, 7000), (301.0, 301_000), (100_000.0, LONGEST_HOLD * 1000)]
)
def test_retry_after_is_the_least_wait_up_to_an_hour(status: int, asked_seconds: float, least_ms: int) -> None:
    for seed in range(20):
        decision = again(of_post(status, asked_seconds), seed=seed)
        assert least_ms <= decision.after_ms <= max(least_ms, 1000)


@pytest.mark.parametrize(
    ("attempt", "waited_ms", "dead"),
    [
        (5, POLICY.limit_ms, True),
        (6, POLICY.limit_ms + 1, True),
        (5, POLICY.limit_ms - 1, False),
        (4, POLICY.limit_ms, False),
        (1, 100 * POLICY.limit_ms, False),
        (1_000_000, 0, False),
    ],
)
def test_giving_up_takes_both_the_time_and_five_attempts(attempt: int, waited_ms: int, dead: bool) -> None:
    decision = decided(of_post(503), attempt=attempt, waited_ms=waited_ms)

    assert isinstance(decision, GiveUp) is dead


def test_a_record_given_up_in_doubt_stays_in_doubt() -> None:
    gone = {"attempt": 5, "waited_ms": POLICY.limit_ms}

    assert decided(of_post(503), **gone) == GiveUp(reason=TRIED_TOO_LONG, in_doubt=True, error="HTTP 503")  # type: ignore[arg-type] # ints only
    assert decided(of_post(429), **gone) == GiveUp(reason=TRIED_TOO_LONG, in_doubt=False, error="HTTP 429")  # type: ignore[arg-type] # ints only


def test_waits_count_towards_giving_up_as_they_were_planned() -> None:
    decision = again(of_post(503), attempt=7)

    assert decision.counted_ms == decision.after_ms > 0
