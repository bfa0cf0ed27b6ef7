"""Which parameters of traffic are possible, and when its conversations begin and end."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesys_gateway.simulator.errors import ControlError
from genesys_gateway.simulator.traffic_plan import Beginning, TrafficPlan, beginnings


def begin(**parameters: Any) -> list[Beginning]:
    return list(beginnings(TrafficPlan.of(parameters)))


def test_without_parameters_there_is_a_default_for_each() -> None:
    plan = TrafficPlan.of({})
    assert (plan.per_minute, plan.seconds, plan.standing, plan.notify) == (60, None, 0, None)
    assert TrafficPlan.of(plan.as_json()) == plan


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"perHour": 1}, "no such parameter: perHour; there are perMinute, "),
        ({"perMinute": "many"}, "perMinute is a number from 0 to 600000, not 'many'"),
        ({"perMinute": -1}, "perMinute is a number from 0"),
        ({"perMinute": True}, "perMinute is a number"),
        ({"perMinute": float("nan")}, "perMinute is a number"),
        ({"standing": 1.5}, "standing is a whole number from 0 to 100000, not 1.5"),
        ({"talkSeconds": 0}, "talkSeconds is a number from 0.001"),
        ({"talkSeconds": None}, "talkSeconds is a number"),
        ({"spread": 1.1}, "spread is a number from 0 to 1"),
        ({"withoutAcw": 2}, "withoutAcw is a number from 0 to 1"),
        ({"agents": 0}, "agents is a whole number from 1"),
        ({"seed": "x"}, "seed is a whole number, not 'x'"),
        ({"seconds": 0}, "seconds is a number from 0.001, not 0"),
        ({"notify": "https://127.0.0.1/"}, "notify is a URL that begins with http://"),
        ({"notify": "http://"}, "notify is a URL"),
        ({"notify": "http://127.0.0.1:0/"}, "notify is a URL"),
        ({"notify": "http://127.0.0.1:99999/"}, "notify is a URL"),
        ({"notify": "http://user@127.0.0.1/"}, "notify is a URL"),
        ({"notify": 7}, "notify is a URL"),
        ({"perMinute": 0}, "nothing would begin"),
    ],
)
def test_a_parameter_that_is_not_possible_is_refused_in_a_sentence(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ControlError) as refused:
        TrafficPlan.of(parameters)
    assert said in refused.value.message


@pytest.mark.parametrize("per_minute", [7, 60, 1900])
def test_the_rate_is_exact_in_every_minute_and_the_moments_are_uneven(per_minute: int) -> None:
    all_of_them = begin(perMinute=per_minute, seconds=180)

    assert Counter(int(one.at // 60) for one in all_of_them) == {0: per_minute, 1: per_minute, 2: per_minute}
    gaps = {round(after.at - before.at, 6) for before, after in pairwise(all_of_them)}
    assert len(gaps) > per_minute


def test_without_seconds_new_ones_begin_for_ever() -> None:
    hour = list(islice(beginnings(TrafficPlan.of({"perMinute": 10})), 600))
    assert 3594 <= hour[-1].at < 3600


def test_the_same_seed_gives_the_same_traffic_and_another_one_does_not() -> None:
    parameters = {"perMinute": 30, "seconds": 60, "standing": 20, "lasting": 2, "withoutAcw": 0.5}
    assert begin(**parameters, seed=5) == begin(**parameters, seed=5)
    assert begin(**parameters, seed=5) != begin(**parameters, seed=6)


@given(mean=st.floats(1, 3600), spread=st.floats(0, 1))
def test_talks_last_the_mean_give_or_take_the_spread(mean: float, spread: float) -> None:
    for one in begin(perMinute=20, seconds=60, talkSeconds=mean, spread=spread):
        assert one.ends is not None
        assert mean * (1 - spread) - 1e-6 <= one.ends - one.at <= mean * (1 + spread) + 1e-6


def test_lasting_ones_begin_first_then_standing_ones_then_new_ones() -> None:
    all_of_them = begin(perMinute=60, seconds=3, standing=10, lasting=10, standingPerSecond=10, talkSeconds=60)

    at = [one.at for one in all_of_them]
    assert at == sorted(at)
    assert at[:20] == [number / 10 for number in range(20)]
    assert [int(moment) for moment in at[20:]] == [2, 3, 4]
    assert [one.ends is None for one in all_of_them] == [True] * 10 + [False] * 13


def test_standing_ones_alone_end_evenly_over_the_length_of_a_talk() -> None:
    standing = begin(perMinute=0, standing=600, talkSeconds=600, spread=0)
    complete = 6.0
    assert Counter(int((one.ends or 0) - complete) // 60 for one in standing) == dict.fromkeys(range(10), 60)


def test_no_standing_one_ends_before_all_of_them_have_begun() -> None:
    standing = begin(perMinute=0, standing=500, standingPerSecond=10, talkSeconds=60, spread=1)
    assert min(one.ends or 0 for one in standing) >= 50


@pytest.mark.parametrize("spread", [0, 0.5, 1])
def test_as_many_end_a_minute_as_begin_from_the_first_minute_on(spread: float) -> None:
    # given: 1,000 a minute that last five minutes, so that 5,000 go on
    all_of_them = begin(
        perMinute=1000, talkSeconds=300, spread=spread, standing=5000, standingPerSecond=5000, seconds=900
    )

    # when
    ended = Counter(int(((one.ends or 0) - 1.0) // 60) for one in all_of_them)

    # then: what is left of the difference is chance
    assert all(abs(ended[minute] - 1000) < 75 for minute in range(15))


def test_agents_come_from_the_pool_and_a_share_of_the_work_is_left_out() -> None:
    all_of_them = begin(perMinute=6000, seconds=60, agents=10, withoutAcw=0.25)
    assert {one.agent for one in all_of_them} == set(range(10))
    assert 0.7 < sum(one.has_acw for one in all_of_them) / 6000 < 0.8
