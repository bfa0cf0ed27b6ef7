"""The lane's table, its counts and its clock."""

from itertools import product

import pytest

from genesys_gateway.delivery.circuit_breaker import (
    BREAK_AFTER,
    LONGEST_HOLD,
    PAUSE_AFTER,
    TABLE,
    Lane,
    Shift,
    Signal,
    State,
    move,
)
from genesys_gateway.delivery.outcome import Outcome, Policy, Result, of_post

POLICY = Policy(base_ms=1000, max_ms=300_000, limit_ms=1)
MISSING = sorted(set(product(State, Signal)) - set(TABLE), key=str)


def break_it(lane: Lane, now: float = 0.0) -> Shift:
    for n in range(BREAK_AFTER - 1):
        lane.report(f"broken-{n}", of_post(503), now)
    return lane.report("broken-last", Result(outcome=Outcome.UNREACHED, error="not reached"), now)


def refuse(lane: Lane, count: int, status: int = 422) -> Shift:
    shift = Shift(before=lane.state, after=lane.state)
    for n in range(count):
        shift = lane.report(f"refused-{n}", of_post(status), 0.0)
    return shift


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
    lane = Lane(POLICY)

    with pytest.raises(LookupError):
        lane.begin_probe()

    assert lane.flowing


def test_a_success_lets_every_lane_flow() -> None:
    assert {move(state, Signal.SUCCEEDED) for state in State} == {State.FLOWING}


def test_it_breaks_when_several_different_records_fail_in_a_row() -> None:
    lane = Lane(POLICY)

    shift = break_it(lane)

    assert (shift.before, shift.after) == (State.FLOWING, State.BROKEN)
    assert lane.trouble == "not reached"


def test_one_record_that_always_fails_does_not_break_it() -> None:
    lane = Lane(POLICY)

    for _ in range(1000):
        lane.report("poison", of_post(500), 0.0)

    assert lane.flowing


def test_records_that_failed_while_others_got_through_do_not_break_it_again() -> None:
    lane = Lane(POLICY)
    for _ in range(100):
        for n in range(BREAK_AFTER - 1):
            lane.report(f"poison-{n}", of_post(500), 0.0)
        lane.report("good", of_post(201), 0.0)
    for n in range(BREAK_AFTER - 1):
        lane.report(f"more-poison-{n}", of_post(500), 0.0)
    lane.report("good", of_post(201), 0.0)

    for n in range(BREAK_AFTER - 1):
        lane.report(f"poison-{n}", of_post(500), 0.0)
        lane.report(f"more-poison-{n}", of_post(500), 0.0)
    assert lane.flowing

    lane.report("poison-0", of_post(201), 0.0)
    for n in range(BREAK_AFTER - 1):
        lane.report(f"new-{n}", of_post(503), 0.0)
    lane.report("poison-0", of_post(503), 0.0)
    assert not lane.flowing, "whoever got through once is a witness again"


@pytest.mark.parametrize("status", [200, 409, 422])
def test_an_answer_in_between_starts_the_count_again(status: int) -> None:
    lane = Lane(POLICY)
    for n in range(BREAK_AFTER - 1):
        lane.report(f"a-{n}", of_post(503), 0.0)
    lane.report("answered", of_post(status), 0.0)

    for n in range(BREAK_AFTER - 1):
        lane.report(f"b-{n}", of_post(503), 0.0)

    assert lane.flowing


def test_a_broken_lane_is_tested_ever_more_seldom_up_to_a_tenth_of_the_longest_back_off() -> None:
    lane = Lane(POLICY)
    break_it(lane, now=100.0)
    waits = []

    now = 100.0
    for _ in range(2000):
        wait = lane.wait(now)
        assert wait is not None
        waits.append(wait)
        now += wait
        lane.begin_probe()
        assert lane.wait(now) is None
        lane.report("test", of_post(503), now)
        lane.end_probe(now)

    assert waits[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert max(waits) == 30


def test_a_test_that_succeeds_lets_everything_flow_at_once() -> None:
    lane = Lane(POLICY)
    break_it(lane)
    lane.begin_probe()

    shift = lane.report("test", of_post(201), 1.0)
    lane.end_probe(1.0)

    assert shift.resumed
    assert lane.flowing
    assert lane.wait(1.0) == 0
    assert lane.trouble is None


def test_a_refused_test_shows_that_the_receiver_is_back() -> None:
    lane = Lane(POLICY)
    break_it(lane)
    lane.begin_probe()

    assert lane.report("test", of_post(422), 1.0).resumed


@pytest.mark.parametrize("status", [401, 403, 404, 302])
def test_an_answer_about_the_deployment_pauses_it_at_once(status: int) -> None:
    lane = Lane(POLICY)

    shift = lane.report("any", of_post(status), 10.0)

    assert (shift.after, shift.revive) == (State.PAUSED, ())
    assert lane.wait(10.0) == 300
    assert lane.trouble == f"HTTP {status}"


def test_a_paused_lane_is_probed_once_every_longest_back_off() -> None:
    lane = Lane(POLICY)
    lane.report("any", of_post(401), 0.0)
    for n in range(1, 10):
        assert lane.wait(300.0 * n) == 0
        lane.begin_probe()
        lane.report("probe", of_post(401), 300.0 * n)
        lane.end_probe(300.0 * n)
        assert lane.wait(300.0 * n) == 300

    lane.begin_probe()
    assert lane.report("probe", of_post(200), 3000.0).resumed


def test_ten_different_records_refused_alike_pause_it_and_are_to_be_revived() -> None:
    lane = Lane(POLICY)

    assert refuse(lane, PAUSE_AFTER - 1).after is State.FLOWING
    shift = lane.report("tenth", of_post(422), 0.0)

    assert shift.after is State.PAUSED
    assert shift.revive == (*(f"refused-{n}" for n in range(PAUSE_AFTER - 1)), "tenth")


def test_one_record_refused_again_and_again_does_not_pause_it() -> None:
    lane = Lane(POLICY)

    for _ in range(100):
        lane.report("requeued", of_post(422), 0.0)

    assert lane.flowing


@pytest.mark.parametrize("between", [200, 400])
def test_a_success_or_another_refusal_starts_the_count_of_refusals_again(between: int) -> None:
    lane = Lane(POLICY)
    refuse(lane, PAUSE_AFTER - 1)
    lane.report("between", of_post(between), 0.0)

    assert refuse(lane, PAUSE_AFTER - 1).after is State.FLOWING
    assert lane.report("last", of_post(422), 0.0).after is State.PAUSED


def test_passing_trouble_does_not_start_the_count_of_refusals_again() -> None:
    lane = Lane(POLICY)
    refuse(lane, PAUSE_AFTER - 1)
    lane.report("slow", of_post(503), 0.0)

    assert lane.report("tenth", of_post(422), 0.0).after is State.PAUSED


def test_a_probe_that_is_refused_alike_keeps_it_paused_and_revives_nobody_twice() -> None:
    lane = Lane(POLICY)
    refuse(lane, PAUSE_AFTER)
    lane.begin_probe()

    shift = lane.report("probe", of_post(422), 300.0)
    lane.end_probe(300.0)

    assert (lane.state, shift.revive) == (State.PAUSED, ())


def test_the_tenth_refusal_revives_them_also_where_the_lane_was_paused_before() -> None:
    lane = Lane(POLICY)
    refuse(lane, PAUSE_AFTER - 1)
    lane.report("unauthorized", of_post(401), 0.0)
    lane.begin_probe()

    shift = lane.report("tenth", of_post(422), 300.0)

    assert (lane.state, lane.trouble) == (State.PROBING, "HTTP 422")
    assert shift.revive == (*(f"refused-{n}" for n in range(PAUSE_AFTER - 1)), "tenth")


def test_after_a_resumed_pause_ten_more_are_needed() -> None:
    lane = Lane(POLICY)
    refuse(lane, PAUSE_AFTER)
    lane.begin_probe()
    lane.report("probe", of_post(200), 300.0)

    assert refuse(lane, PAUSE_AFTER - 1).after is State.FLOWING
    assert refuse(lane, PAUSE_AFTER).after is State.PAUSED


def test_retry_after_holds_the_whole_lane_but_not_for_ever() -> None:
    lane = Lane(POLICY)

    lane.report("any", of_post(429, 7.0), 10.0)
    assert lane.wait(10.0) == 7
    assert lane.wait(17.0) == 0

    lane.report("any", of_post(503, 1e9), 20.0)
    assert lane.wait(20.0) == LONGEST_HOLD


def test_a_shorter_retry_after_does_not_end_a_longer_one() -> None:
    lane = Lane(POLICY)
    lane.report("any", of_post(429, 60.0), 0.0)

    lane.report("other", of_post(429, 1.0), 1.0)

    assert lane.wait(1.0) == 59


def test_answers_that_come_late_do_not_disturb_a_lane_that_is_probed() -> None:
    lane = Lane(POLICY)
    break_it(lane)
    lane.begin_probe()

    lane.report("late", of_post(503), 0.5)

    assert lane.state.value == "half_open"
    lane.end_probe(1.0)
    assert lane.state.value == "broken"
