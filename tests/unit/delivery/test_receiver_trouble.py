"""What is told of the receiver: which kind of trouble, since when, and when it is over."""

import pytest

from genesys_gateway.delivery.circuit_breaker import CircuitBreaker
from genesys_gateway.delivery.evidence import BREAK_AFTER, PAUSE_AFTER
from genesys_gateway.delivery.outcome import Outcome, Policy, Result, of_post
from genesys_gateway.delivery.receiver_trouble import SHOWN_AFTER, Kind
from genesys_gateway.domain.outbox import AttemptEnd

POLICY = Policy(base_ms=1000, max_ms=300_000, limit_ms=1)
UNREACHED = Result(outcome=Outcome.UNREACHED, error="no connection")
STORED = of_post(201)


def kinds(breaker: CircuitBreaker, now: float) -> list[Kind]:
    return [one.kind for one in breaker.troubles(now)]


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker(POLICY)


@pytest.mark.parametrize("failure", [UNREACHED, of_post(503), of_post(429)])
def test_one_record_that_gets_no_success_for_some_seconds_shows_that_the_receiver_is_down(
    breaker: CircuitBreaker, failure: Result
) -> None:
    breaker.report("a", failure, 10.0)
    assert kinds(breaker, 10.0 + SHOWN_AFTER["down"] - 0.1) == []

    (trouble,) = breaker.troubles(10.0 + SHOWN_AFTER["down"])
    assert (trouble.kind, trouble.since, trouble.records) == (Kind.DOWN, 10.0, 1)
    assert trouble.error == failure.error


def test_an_attempt_that_ran_out_of_time_shows_it_at_once(breaker: CircuitBreaker) -> None:
    breaker.report("a", Result(outcome=Outcome.UNKNOWN, error="no answer"), 15.0, began=10.0)

    (trouble,) = breaker.troubles(15.0)
    assert (trouble.kind, trouble.since, trouble.failed_at) == (Kind.DOWN, 10.0, 15.0)


def test_a_broken_circuit_breaker_shows_it_at_once_and_counts_the_records(breaker: CircuitBreaker) -> None:
    for n in range(BREAK_AFTER):
        breaker.report(f"r-{n}", of_post(503), float(n))

    (trouble,) = breaker.troubles(BREAK_AFTER)
    assert (trouble.kind, trouble.since, trouble.records) == (Kind.DOWN, 0.0, BREAK_AFTER)


def test_the_first_success_ends_every_trouble(breaker: CircuitBreaker) -> None:
    breaker.report("a", UNREACHED, 0.0)
    breaker.report("b", of_post(404), 0.0)
    assert kinds(breaker, 100.0) == [Kind.DOWN, Kind.MISDEPLOYED]

    breaker.report("b", STORED, 100.0)
    assert kinds(breaker, 200.0) == []


def test_a_record_that_fails_while_others_get_through_says_nothing_of_the_receiver(breaker: CircuitBreaker) -> None:
    breaker.report("bad", of_post(500), 0.0)
    breaker.report("good", STORED, 1.0)
    breaker.report("bad", of_post(500), 2.0)

    assert kinds(breaker, 100.0) == []


def test_a_connection_that_can_not_be_made_is_the_fault_of_no_record(breaker: CircuitBreaker) -> None:
    breaker.report("bad", of_post(500), 0.0)
    breaker.report("good", STORED, 1.0)
    breaker.report("bad", UNREACHED, 2.0)

    assert kinds(breaker, 100.0) == [Kind.DOWN]


def test_a_401_is_told_at_once_as_a_mistake_of_the_deployment(breaker: CircuitBreaker) -> None:
    breaker.report("a", of_post(401), 7.0)

    (trouble,) = breaker.troubles(7.0)
    assert (trouble.kind, trouble.since, trouble.error) == (Kind.MISDEPLOYED, 7.0, "HTTP 401")


@pytest.mark.parametrize("status", [301, 403, 404])
def test_the_third_record_turned_away_shows_it_at_once_and_a_lonely_one_after_a_while(
    breaker: CircuitBreaker, status: int
) -> None:
    breaker.report("a", of_post(status), 0.0)
    assert kinds(breaker, 4.0) == []
    assert kinds(breaker, SHOWN_AFTER["misdeployed"]) == [Kind.MISDEPLOYED]

    breaker.report("b", of_post(status), 1.0)
    breaker.report("c", of_post(status), 1.0)
    assert kinds(breaker, 1.0) == [Kind.MISDEPLOYED]


def test_ten_refused_alike_are_told_as_such_and_fewer_are_not(breaker: CircuitBreaker) -> None:
    for n in range(PAUSE_AFTER - 1):
        breaker.report(f"r-{n}", of_post(422), 0.0)
        breaker.forget(f"r-{n}")  # each is dead
    assert kinds(breaker, 1000.0) == []

    breaker.report("last", of_post(422), 1.0)
    (trouble,) = breaker.troubles(1.0)
    assert (trouble.kind, trouble.records, trouble.error) == (Kind.REFUSES, PAUSE_AFTER, "HTTP 422")


def test_refusals_for_another_reason_are_counted_anew(breaker: CircuitBreaker) -> None:
    for n in range(PAUSE_AFTER - 1):
        breaker.report(f"a-{n}", of_post(422), 0.0)
    for n in range(PAUSE_AFTER):
        breaker.report(f"b-{n}", of_post(400), 5.0)

    (trouble,) = breaker.troubles(5.0)
    assert (trouble.since, trouble.records, trouble.error) == (5.0, PAUSE_AFTER, "HTTP 400")


@pytest.mark.parametrize("status", [401, 422])
def test_an_answer_shows_that_the_receiver_is_not_down(breaker: CircuitBreaker, status: int) -> None:
    for n in range(BREAK_AFTER):
        breaker.report(f"r-{n}", UNREACHED, 0.0)

    breaker.report("probe", of_post(status), 1.0)

    assert Kind.DOWN not in kinds(breaker, 100.0)


def test_a_pause_and_an_outage_during_it_are_both_told(breaker: CircuitBreaker) -> None:
    breaker.report("a", of_post(401), 0.0)
    breaker.report("b", UNREACHED, 10.0)

    assert kinds(breaker, 20.0) == [Kind.MISDEPLOYED, Kind.DOWN]


def test_a_wait_demanded_for_all_records_is_told_although_a_record_got_through(breaker: CircuitBreaker) -> None:
    breaker.report("a", of_post(503, 600.0), 1.0)
    breaker.report("b", of_post(503, 600.0), 2.0)
    breaker.report("c", STORED, 3.0)

    (trouble,) = breaker.troubles(50.0)
    assert (trouble.kind, trouble.since, trouble.error) == (Kind.DOWN, 2.0, "it asks all records to wait 552 s")
    assert kinds(breaker, 602.0) == []


def test_a_record_that_is_given_up_shows_nothing_any_more(breaker: CircuitBreaker) -> None:
    breaker.report("a", of_post(503), 0.0)
    breaker.forget("a")

    assert kinds(breaker, 100.0) == []


def test_what_an_earlier_process_met_is_told_after_a_restart(breaker: CircuitBreaker) -> None:
    ends = [("a", None), ("b", "HTTP 503"), ("c", "HTTP 503")]
    breaker.remember([AttemptEnd(record_id=one, error=error, dead=one == "c") for one, error in ends], 5.0)

    (trouble,) = breaker.troubles(5.0 + SHOWN_AFTER["down"])
    assert (trouble.kind, trouble.records) == (Kind.DOWN, 1)
