"""The circuit breaker: its table, its counts and its intervals."""

from itertools import product

import pytest

from genesys_gateway.delivery.circuit_breaker import MOST_PROBES, TABLE, CircuitBreaker, State, Transition, move
from genesys_gateway.delivery.evidence import BLAME_AFTER, BREAK_AFTER, PAUSE_AFTER, Signal
from genesys_gateway.delivery.outcome import LONGEST_HOLD, Outcome, Policy, Result, of_post
from genesys_gateway.domain.outbox import AttemptEnd

POLICY = Policy(base_ms=1000, max_ms=300_000, limit_ms=1)
MISSING = sorted(set(product(State, Signal)) - set(TABLE), key=str)


def break_it(breaker: CircuitBreaker, now: float = 0.0) -> Transition:
    for n in range(BREAK_AFTER - 1):
        breaker.report(f"broken-{n}", of_post(503), now)
    return breaker.report("broken-last", Result(outcome=Outcome.UNREACHED, error="not reached"), now)


def refuse(breaker: CircuitBreaker, count: int, status: int = 422) -> Transition:
    transition = Transition(before=breaker.state, after=breaker.state)
    for n in range(count):
        transition = breaker.report(f"refused-{n}", of_post(status), 0.0)
    return transition


@pytest.mark.parametrize(("state", "signal"), MISSING)
def test_a_pair_that_is_not_in_the_table_raises(state: State, signal: Signal) -> None:
    with pytest.raises(LookupError, match=state.value):
        move(state, signal)


def test_only_the_ends_of_a_probe_are_missing() -> None:
    assert {(state.value, signal.value) for state, signal in MISSING} == {
        ("flowing", "probe_began"),
        ("flowing", "probe_ended"),
        ("broken", "probe_ended"),
        ("half_open", "probe_began"),
        ("paused", "probe_ended"),
        ("probing", "probe_began"),
    }


def test_a_missing_pair_moves_nothing() -> None:
    breaker = CircuitBreaker(POLICY)

    with pytest.raises(LookupError):
        breaker.begin_probe("probe")

    assert breaker.flowing


def test_a_success_lets_records_flow_in_every_state() -> None:
    assert {move(state, Signal.SUCCEEDED) for state in State} == {State.FLOWING}


def test_it_breaks_when_several_different_records_fail_in_a_row() -> None:
    breaker = CircuitBreaker(POLICY)

    transition = break_it(breaker)

    assert (transition.before, transition.after) == (State.FLOWING, State.BROKEN)
    assert breaker.trouble == "not reached"


def test_one_record_that_always_fails_does_not_break_it() -> None:
    breaker = CircuitBreaker(POLICY)

    for _ in range(1000):
        breaker.report("poison", of_post(500), 0.0)

    assert breaker.flowing


def test_records_that_failed_while_others_got_through_do_not_break_it_again() -> None:
    breaker = CircuitBreaker(POLICY)
    for _ in range(100):
        for n in range(BREAK_AFTER - 1):
            breaker.report(f"poison-{n}", of_post(500), 0.0)
        breaker.report("good", of_post(201), 0.0)
    for n in range(BREAK_AFTER - 1):
        breaker.report(f"more-poison-{n}", of_post(500), 0.0)
    breaker.report("good", of_post(201), 0.0)

    for n in range(BREAK_AFTER - 1):
        breaker.report(f"poison-{n}", of_post(500), 0.0)
        breaker.report(f"more-poison-{n}", of_post(500), 0.0)
    assert breaker.flowing

    breaker.report("poison-0", of_post(201), 0.0)
    for n in range(BREAK_AFTER - 1):
        breaker.report(f"new-{n}", of_post(503), 0.0)
    breaker.report("poison-0", of_post(503), 0.0)
    assert not breaker.flowing, "a record that got through once counts as evidence again"


@pytest.mark.parametrize("status", [200, 409, 422])
def test_an_answer_in_between_starts_the_count_again(status: int) -> None:
    breaker = CircuitBreaker(POLICY)
    for n in range(BREAK_AFTER - 1):
        breaker.report(f"a-{n}", of_post(503), 0.0)
    breaker.report("answered", of_post(status), 0.0)

    for n in range(BREAK_AFTER - 1):
        breaker.report(f"b-{n}", of_post(503), 0.0)

    assert breaker.flowing


def test_while_broken_it_probes_ever_more_seldom_up_to_a_tenth_of_the_longest_back_off() -> None:
    breaker = CircuitBreaker(POLICY)
    break_it(breaker, now=100.0)
    waits = []

    now = 100.0
    for _ in range(2000):
        wait = breaker.wait(now)
        assert wait is not None
        waits.append(wait)
        now += wait
        breaker.begin_probe("probe")
        assert breaker.wait(now) is None
        breaker.report("probe", of_post(503), now)
        breaker.end_probe(now)

    assert waits[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert max(waits) == 30


def test_a_probe_that_succeeds_lets_everything_flow_at_once() -> None:
    breaker = CircuitBreaker(POLICY)
    break_it(breaker)
    breaker.begin_probe("probe")

    transition = breaker.report("probe", of_post(201), 1.0)
    breaker.end_probe(1.0)

    assert transition.resumed
    assert breaker.flowing
    assert breaker.wait(1.0) == 0
    assert breaker.trouble is None


def test_a_refused_probe_shows_that_the_receiver_is_back() -> None:
    breaker = CircuitBreaker(POLICY)
    break_it(breaker)
    breaker.begin_probe("probe")

    assert breaker.report("probe", of_post(422), 1.0).resumed


@pytest.mark.parametrize(("status", "records"), [(401, 1), (403, 3), (404, 3), (302, 3)])
def test_as_many_answers_as_speak_of_the_deployment_pause_it(status: int, records: int) -> None:
    breaker = CircuitBreaker(POLICY)
    for n in range(records - 1):
        assert breaker.report(f"r-{n}", of_post(status), 9.0).after is State.FLOWING

    transition = breaker.report("last", of_post(status), 10.0)

    assert (transition.after, transition.revive) == (State.PAUSED, ())
    assert breaker.wait(10.0) == 300
    assert breaker.trouble == f"HTTP {status}"


def test_a_probe_that_is_turned_away_ends_neither_an_outage_nor_a_pause() -> None:
    breaker = CircuitBreaker(POLICY)
    break_it(breaker)
    breaker.begin_probe("a")
    breaker.report("a", of_post(404), 1.0)
    breaker.end_probe(1.0)
    assert breaker.state.value == "broken"

    breaker.report("b", of_post(404), 1.0)
    breaker.report("c", of_post(404), 1.0)
    breaker.begin_probe("d")
    breaker.report("d", of_post(404), 301.0)
    breaker.end_probe(301.0)
    assert breaker.state.value == "paused"
    assert breaker.wait(301.0) == 300


def test_a_probe_is_first_one_that_has_not_failed_and_last_the_one_before() -> None:
    breaker = CircuitBreaker(POLICY)
    for name in "abc":
        breaker.report(name, of_post(403), 0.0)
    assert [breaker.probe_rank(name) for name in "an"] == [0, -1]

    for name in ("b", "n", "b"):
        breaker.begin_probe(name)
        breaker.report(name, of_post(403), 300.0)
        breaker.end_probe(300.0)

    assert sorted("abcnx", key=breaker.probe_rank) == ["x", "a", "c", "n", "b"]

    breaker.begin_probe("x")
    breaker.report("x", of_post(201), 600.0)
    assert {breaker.probe_rank(name) for name in "abcnx"} == {-1}


def test_no_more_probes_are_remembered_than_need_be() -> None:
    breaker = CircuitBreaker(POLICY)
    breaker.report("first", of_post(401), 0.0)
    for name in ("a", "b", "a", *map(str, range(MOST_PROBES - 2))):
        breaker.begin_probe(name)
        breaker.end_probe(0.0)
    assert breaker.probe_rank("b") == 2

    breaker.begin_probe("one more")

    assert breaker.probe_rank("b") == -1, "the one not probed for the longest is forgotten"
    assert breaker.probe_rank("a") == 3


def test_a_record_is_to_blame_until_it_was_given_up() -> None:
    breaker = CircuitBreaker(POLICY)
    breaker.report("bad", of_post(403), 0.0)
    breaker.report("good", of_post(201), 0.0)
    for _ in range(BLAME_AFTER - 1):
        breaker.report("bad", of_post(403), 1.0)
    assert breaker.blames("bad", 1.0)
    assert not breaker.blames("bad", 1.0 + 300)

    breaker.forget("bad")

    assert not breaker.blames("bad", 1.0)


def test_the_counts_of_an_earlier_process_go_on() -> None:
    breaker = CircuitBreaker(POLICY)
    ends = [("a", "HTTP 401"), ("good", None), ("b", "HTTP 403"), ("c", "HTTP 403")]

    breaker.remember([AttemptEnd(record_id=one, error=error, dead=False) for one, error in ends], 7.0)

    assert (breaker.state.value, breaker.trouble) == ("flowing", None)
    breaker.report("a", of_post(401), 7.0 + 299)
    assert breaker.flowing, "a suspect"
    assert breaker.report("d", of_post(403), 7.0 + 299).after is State.PAUSED


def test_an_earlier_process_blames_a_record_only_while_others_get_through() -> None:
    breaker = CircuitBreaker(POLICY)
    ends = [("bad", "HTTP 403"), ("good", None), *[("bad", "HTTP 403")] * (BLAME_AFTER - 1)]

    breaker.remember([AttemptEnd(record_id=one, error=error, dead=False) for one, error in ends], 7.0)

    assert breaker.blames("bad", 7.0 + 299)
    assert not breaker.blames("bad", 7.0 + 300)


def test_nothing_is_the_trouble_once_a_refusal_shows_that_the_receiver_is_back() -> None:
    breaker = CircuitBreaker(POLICY)
    break_it(breaker)
    breaker.begin_probe("probe")

    breaker.report("probe", of_post(422), 1.0)

    assert (breaker.state.value, breaker.trouble) == ("flowing", None)


def test_a_result_that_prolongs_the_hold_of_all_says_for_how_long() -> None:
    breaker = CircuitBreaker(POLICY)

    told = [breaker.report(name, of_post(503, 60.0), at).held for name, at in (("a", 0.0), ("b", 1.0), ("b", 1.0))]

    assert told == [None, 60.0, None]
    assert breaker.flowing


def test_while_paused_it_probes_once_every_longest_back_off() -> None:
    breaker = CircuitBreaker(POLICY)
    breaker.report("any", of_post(401), 0.0)
    for n in range(1, 10):
        assert breaker.wait(300.0 * n) == 0
        breaker.begin_probe("probe")
        breaker.report("probe", of_post(401), 300.0 * n)
        breaker.end_probe(300.0 * n)
        assert breaker.wait(300.0 * n) == 300

    breaker.begin_probe("probe")
    assert breaker.report("probe", of_post(200), 3000.0).resumed


def test_ten_different_records_refused_alike_pause_it_and_are_to_be_revived() -> None:
    breaker = CircuitBreaker(POLICY)

    assert refuse(breaker, PAUSE_AFTER - 1).after is State.FLOWING
    transition = breaker.report("tenth", of_post(422), 0.0)

    assert transition.after is State.PAUSED
    assert transition.revive == (*(f"refused-{n}" for n in range(PAUSE_AFTER - 1)), "tenth")


def test_one_record_refused_again_and_again_does_not_pause_it() -> None:
    breaker = CircuitBreaker(POLICY)

    for _ in range(100):
        breaker.report("requeued", of_post(422), 0.0)

    assert breaker.flowing


@pytest.mark.parametrize("between", [200, 400])
def test_a_success_or_another_refusal_starts_the_count_of_refusals_again(between: int) -> None:
    breaker = CircuitBreaker(POLICY)
    refuse(breaker, PAUSE_AFTER - 1)
    breaker.report("between", of_post(between), 0.0)

    assert refuse(breaker, PAUSE_AFTER - 1).after is State.FLOWING
    assert breaker.report("last", of_post(422), 0.0).after is State.PAUSED


def test_transient_failures_do_not_start_the_count_of_refusals_again() -> None:
    breaker = CircuitBreaker(POLICY)
    refuse(breaker, PAUSE_AFTER - 1)
    breaker.report("slow", of_post(503), 0.0)

    assert breaker.report("tenth", of_post(422), 0.0).after is State.PAUSED


def test_a_probe_that_is_refused_alike_keeps_it_paused_and_revives_nobody_twice() -> None:
    breaker = CircuitBreaker(POLICY)
    refuse(breaker, PAUSE_AFTER)
    breaker.begin_probe("probe")

    transition = breaker.report("probe", of_post(422), 300.0)
    breaker.end_probe(300.0)

    assert (breaker.state, transition.revive) == (State.PAUSED, ())


def test_the_tenth_refusal_revives_them_also_if_it_was_paused_before() -> None:
    breaker = CircuitBreaker(POLICY)
    refuse(breaker, PAUSE_AFTER - 1)
    breaker.report("unauthorized", of_post(401), 0.0)
    breaker.begin_probe("probe")

    transition = breaker.report("tenth", of_post(422), 300.0)

    assert (breaker.state, breaker.trouble) == (State.PROBING, "HTTP 422")
    assert transition.revive == (*(f"refused-{n}" for n in range(PAUSE_AFTER - 1)), "tenth")


def test_after_a_resumed_pause_ten_more_are_needed() -> None:
    breaker = CircuitBreaker(POLICY)
    refuse(breaker, PAUSE_AFTER)
    breaker.begin_probe("probe")
    breaker.report("probe", of_post(200), 300.0)

    assert refuse(breaker, PAUSE_AFTER - 1).after is State.FLOWING
    assert refuse(breaker, PAUSE_AFTER).after is State.PAUSED


def test_retry_after_told_to_two_stops_all_deliveries_but_not_for_ever() -> None:
    breaker = CircuitBreaker(POLICY)

    breaker.report("one", of_post(429, 7.0), 10.0)
    assert breaker.wait(10.0) == 0
    breaker.report("other", of_post(429, 7.0), 10.0)
    assert breaker.wait(10.0) == 7
    assert breaker.wait(17.0) == 0
    assert breaker.overdue(18.0) == 1

    breaker.report("one", of_post(503, 1e9), 20.0)
    breaker.report("other", of_post(503, 7.0), 20.0)
    assert breaker.wait(20.0) == LONGEST_HOLD


def test_a_probe_waits_for_the_hold_of_all() -> None:
    breaker = CircuitBreaker(POLICY)
    for n in range(BREAK_AFTER):
        breaker.report(f"r-{n}", of_post(503, 60.0), 0.0)

    assert breaker.state.value == "broken"
    assert breaker.wait(0.0) == 60


def test_answers_that_come_late_do_not_disturb_a_probe() -> None:
    breaker = CircuitBreaker(POLICY)
    break_it(breaker)
    breaker.begin_probe("probe")

    breaker.report("late", of_post(503), 0.5)

    assert breaker.state.value == "half_open"
    breaker.end_probe(1.0)
    assert breaker.state.value == "broken"
