"""Are the points of the last hour right: counts of a minute, levels, percentiles, and a bounded number of them?"""

import pytest

from genesys_gateway.oversight.hour import STEP_SECONDS, Hour, quantile
from genesys_gateway.runtime.metrics import Metrics
from tests.doubles.runtime import FakeClock
from tests.doubles.stepped_tasks import SteppedTaskGroup

INFINITE = float("inf")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def let_pass(hour: Hour, clock: FakeClock, steps: int) -> None:
    for _ in range(steps):
        clock.advance(STEP_SECONDS)
        hour.sample()


def test_the_first_point_is_there_at_once_and_is_empty(metrics: Metrics, clock: FakeClock) -> None:
    (point,) = Hour(metrics, clock).points()

    assert (point.registrations, point.events, point.fresh_half) == (0, 0, None)


def test_a_point_counts_what_happened_in_the_minute_before_it(metrics: Metrics, clock: FakeClock) -> None:
    hour = Hour(metrics, clock)
    metrics.conversations_accepted.inc(3)
    metrics.events_received.labels(source="live").inc(2)
    metrics.events_received.labels(source="backfill").inc()
    metrics.deliveries.labels(outcome="delivered").inc(4)
    metrics.deliveries.labels(outcome="failed").inc(5)
    let_pass(hour, clock, 1)

    latest = hour.points()[-1]
    assert (latest.registrations, latest.events, latest.delivered, latest.failed) == (3, 3, 4, 5)

    let_pass(hour, clock, 5)
    assert hour.points()[-1].registrations == 3

    let_pass(hour, clock, 1)
    assert hour.points()[-1].registrations == 0


def test_levels_are_those_of_the_moment(metrics: Metrics, clock: FakeClock) -> None:
    hour = Hour(metrics, clock)
    metrics.delivery_backlog.set(7)
    metrics.api_calls_left.set(250)
    let_pass(hour, clock, 1)

    assert (hour.points()[-1].backlog, hour.points()[-1].calls_left) == (7, 250)
    assert hour.points()[0].backlog == 0


def test_freshness_is_that_of_five_minutes(metrics: Metrics, clock: FakeClock) -> None:
    hour = Hour(metrics, clock)
    for _ in range(99):
        metrics.event_freshness_seconds.observe(0.09)
    metrics.event_freshness_seconds.observe(40)
    let_pass(hour, clock, 1)

    latest = hour.points()[-1]
    assert latest.fresh_half is not None
    assert 0.05 < latest.fresh_half < 0.1
    assert latest.fresh_most == pytest.approx(0.1)

    let_pass(hour, clock, 29)
    assert hour.points()[-1].fresh_half is not None
    let_pass(hour, clock, 1)
    assert hour.points()[-1].fresh_half is None


def test_an_hour_is_kept_and_no_more(metrics: Metrics, clock: FakeClock) -> None:
    hour = Hour(metrics, clock)
    let_pass(hour, clock, 1000)

    points = hour.points()
    assert len(points) == 361
    assert points[-1].moment - points[0].moment == 3600
    assert points[-1] == hour.points()[-1]


def test_a_point_is_computed_once(metrics: Metrics, clock: FakeClock) -> None:
    hour = Hour(metrics, clock)
    let_pass(hour, clock, 5)
    before = hour.points()
    let_pass(hour, clock, 1)

    assert all(one is other for one, other in zip(before, hour.points(), strict=False))


def test_a_wall_clock_that_jumps_moves_no_point(metrics: Metrics, clock: FakeClock) -> None:
    hour = Hour(metrics, clock)
    let_pass(hour, clock, 2)
    clock.jump(86_400)
    let_pass(hour, clock, 1)

    points = hour.points()
    assert [points[-1].moment - one.moment for one in points] == [30, 20, 10, 0]


def test_it_runs_until_its_group_stops(metrics: Metrics, clock: FakeClock) -> None:
    hour, tasks = Hour(metrics, clock), SteppedTaskGroup(clock)
    tasks.spawn("hour", hour.run, tasks)
    tasks.step()
    tasks.step()
    tasks.end()

    assert tasks.waits[0] == STEP_SECONDS
    assert hour.taken == 4


def test_the_hour_begins_when_the_service_runs_and_every_level_is_known(metrics: Metrics, clock: FakeClock) -> None:
    hour, tasks = Hour(metrics, clock), SteppedTaskGroup(clock)
    metrics.api_calls_left.set(300)

    tasks.spawn("hour", hour.run, tasks)
    tasks.step()
    tasks.end()

    assert {one.calls_left for one in hour.points()} == {300}


def test_calls_left_are_told_without_waiting_for_a_sample(metrics: Metrics, clock: FakeClock) -> None:
    hour = Hour(metrics, clock)

    metrics.api_calls_left.set(17)

    assert hour.calls_left() == 17


@pytest.mark.parametrize(
    ("counts", "share", "value"),
    [
        ((0, 0, 0), 0.5, None),
        ((), 0.5, None),
        ((10, 10, 10), 0.5, 0.5),
        ((0, 10, 10), 0.5, 2.5),
        ((0, 10, 10), 1.0, 4.0),
        ((5, 10, 10), 0.25, 0.5),
        ((0, 0, 10), 0.5, 4.0),
    ],
)
def test_a_quantile_lies_within_its_bucket(counts: tuple[float, ...], share: float, value: float | None) -> None:
    assert quantile((1.0, 4.0, INFINITE), counts, share) == value
