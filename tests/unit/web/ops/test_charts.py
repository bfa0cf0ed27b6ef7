"""Do charts lie? Scales, lines, gaps, ticks, and the tables that say the same in words."""

import pytest

from genesys_gateway.web.ops.charts import Chart, DurationScale, Scale, Series, chart, percent, round_up

HOUR = [(1000 * age, float(age)) for age in range(3600, -1, -10)]


def drawn(
    *series: Series,
    durations: bool = False,
    moments: list[tuple[int, float]] = HOUR,
    top: float | None = None,
) -> Chart:
    return chart(
        "key",
        "Title",
        "a minute",
        moments=moments,
        series=series,
        words=lambda value: f"{value:g}",
        durations=durations,
        top=top,
    )


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.3, 0.4), (1, 1), (3, 4), (4.1, 6), (45, 60), (81, 100), (100, 100), (1001, 2000)]
)
def test_a_scale_ends_at_a_round_number(value: float, top: float) -> None:
    assert round_up(value) == pytest.approx(top)


def test_a_scale_begins_at_zero_and_keeps_values_inside() -> None:
    scale = Scale(37)
    assert scale.ticks() == (0, 20, 40)
    assert [scale.place(one) for one in (-5, 0, 20, 40, 400)] == [0, 0, 0.5, 1, 1]


def test_a_chart_of_nothing_has_a_scale() -> None:
    assert Scale(0).ticks() == (0, 2, 4)


def test_each_tenfold_of_a_duration_is_as_high_as_the_next() -> None:
    scale = DurationScale(0.1, 10)
    assert scale.ticks() == (0.1, 1.0, 10.0)
    assert [scale.place(one) for one in (0.0, 0.1, 1, 10, 99)] == pytest.approx([0, 0, 0.5, 1, 1])


@pytest.mark.parametrize(("least", "most"), [(0.02, 0.03), (0.05, 43_200), (1e-9, 1e9), (5, 5)])
def test_a_scale_of_durations_has_few_lines(least: float, most: float) -> None:
    ticks = DurationScale(least, most).ticks()
    assert 2 <= len(ticks) <= 4
    assert list(ticks) == sorted(ticks)


def test_a_line_goes_from_the_left_edge_to_the_right_one() -> None:
    (line,) = drawn(Series(name="A", values=[20.0] * len(HOUR))).lines
    assert line.path.startswith("M0.0 0.0 L")
    assert line.path.endswith("L1000.0 0.0")
    assert line.area.endswith("V100 H0.0 Z")
    assert line.latest == "20"


def test_a_line_has_a_point_each_half_minute() -> None:
    (line,) = drawn(Series(name="A", values=[1.0] * len(HOUR))).lines
    assert line.path.count("L") == 120


def test_a_scale_ends_at_the_most_that_there_can_be() -> None:
    whole = drawn(Series(name="A", values=[300.0] * len(HOUR)), top=300)
    assert [tick.label for tick in whole.ticks] == ["0", "150", "300"]
    assert whole.lines[0].path.startswith("M0.0 0.0 L")


@pytest.mark.parametrize(("seconds", "period"), [(0, "5 minutes"), (310, "10 minutes"), (3600, "hour")])
def test_a_chart_does_not_claim_to_go_back_further_than_it_does(seconds: int, period: str) -> None:
    moments = [one for one in HOUR if one[1] <= seconds]
    whole = drawn(Series(name="A", values=[1.0] * len(moments)), moments=moments)
    assert whole.period == period
    assert f"between 1 and 1 in the last {period}." in whole.description


@pytest.mark.parametrize(
    ("seconds", "times"),
    [
        (0, ("5 min ago", "2.5 min", "now")),
        (310, ("10 min ago", "5 min", "now")),
        (1800, ("30 min ago", "15 min", "now")),
        (3600, ("60 min ago", "30 min", "now")),
    ],
)
def test_a_chart_goes_back_as_far_as_its_values(seconds: int, times: tuple[str, str, str]) -> None:
    moments = [one for one in HOUR if one[1] <= seconds]
    assert drawn(Series(name="A", values=[1.0] * len(moments)), moments=moments).times == times


def test_where_there_is_no_value_the_line_is_broken() -> None:
    moments = [(0, 90.0), (1, 60.0), (2, 30.0), (3, 0.0)]
    (line,) = drawn(Series(name="A", values=[1.0, None, 2.0, 2.0]), moments=moments).lines
    assert line.path.count("M") == 2


def test_a_single_value_is_seen() -> None:
    (line,) = drawn(Series(name="A", values=[1.0]), moments=[(0, 0.0)]).lines
    assert line.path.count("L") == 1


def test_a_line_without_values_is_none_and_is_said_to_be() -> None:
    whole = drawn(Series(name="A", values=[None] * len(HOUR)), durations=True)
    assert (whole.lines[0].path, whole.lines[0].area, whole.lines[0].latest) == ("", "", "—")
    assert whole.description == "A: nothing in the last hour. Unit: a minute."


def test_the_table_has_a_row_each_five_minutes_the_latest_first() -> None:
    rows = drawn(Series(name="A", values=[one[1] for one in HOUR])).rows
    assert [row.values for row in rows[:3]] == [("0",), ("300",), ("600",)]
    assert len(rows) == 13
    assert rows[1].at == 300_000


def test_the_description_says_what_the_lines_show() -> None:
    whole = drawn(Series(name="A", values=[one[1] for one in HOUR]), Series(name="B", values=[5.0] * len(HOUR)))
    assert whole.description == (
        "A: now 0, between 0 and 3600 in the last hour. B: now 5, between 5 and 5 in the last hour. Unit: a minute."
    )


@pytest.mark.parametrize(
    ("part", "whole", "width"), [(0, 20, "0.0%"), (5, 20, "25.0%"), (30, 20, "100.0%"), (1, 0, "0.0%")]
)
def test_a_bar_is_as_wide_as_its_share(part: int, whole: int, width: str) -> None:
    assert percent(part, whole) == width
