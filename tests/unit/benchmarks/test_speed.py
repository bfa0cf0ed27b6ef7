"""Table, ratios, targets and pictures of the comparison of speed, from figures that are made up."""

from xml.etree import ElementTree

from tests.benchmarks.speed import targets
from tests.benchmarks.speed.arena import BARE_FLASK, BARE_LOOP
from tests.benchmarks.speed.figures import Measured, Results, ratio, table
from tests.benchmarks.speed.pictures import draw
from tests.benchmarks.speed.rows import events, growth, registrations
from tests.benchmarks.speed.targets import verdicts


def made_up() -> Results:
    at_32 = registrations.row(32)
    grown = [
        Measured(row=growth.EVENT, database="sqlite", conversations=level, figures={"CPU ms each": cost})
        for level, cost in ((1000, 1.0), (5000, 1.1), (19_000, 1.2))
    ]
    return Results(
        [
            Measured(row=at_32, rival=BARE_FLASK, figures={"CPU ms each": 0.3, "per second": 3000}),
            Measured(row=at_32, database="sqlite", figures={"CPU ms each": 0.6, "p50 ms": 20, "p99 ms": 30}),
            Measured(row=events.DELIVERED, database="sqlite", figures={"CPU ms each": 0.8}),
            Measured(row=events.DELIVERED, rival=BARE_LOOP.name, figures={"CPU ms each": 0.4}, note="made up"),
            *grown,
        ]
    )


def test_a_ratio_above_one_means_that_the_gateway_is_cheaper() -> None:
    assert ratio({"seconds": 2.0}, {"seconds": 100.0, "per second": 1.0}) == 50


def test_a_ratio_compares_the_time_of_processors_where_both_have_it() -> None:
    ours = {"CPU ms each": 0.6, "seconds": 1.0}

    assert ratio(ours, {"CPU ms each": 0.3, "seconds": 9.0}) == 0.5
    assert ratio(ours, {"seconds": 9.0}) == 9
    assert ratio(ours, {"calls": 9.0}) is None


def test_the_table_shows_the_gateway_before_its_rivals() -> None:
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(made_up()).splitlines()]

    assert lines[0] == [
        "row", "who", "per second", "p50 ms", "p99 ms", "CPU ms each", "ratio to sqlite", "",
    ]  # fmt: skip
    assert lines[2] == ["registrations, 32 connections", "gateway, sqlite", "", "20", "30", "0.60", "", ""]
    assert lines[3] == ["", BARE_FLASK, "3,000", "", "", "0.30", "0.50", ""]
    assert lines[5] == ["", BARE_LOOP.name, "", "", "", "0.40", "0.50", "made up"]
    assert [line[0] for line in lines[6:]] == [
        f"{growth.EVENT}, {n} conversations" for n in ("1,000", "5,000", "19,000")
    ]


def test_a_target_is_judged_if_its_figures_were_measured() -> None:
    found = {verdict.target: (round(verdict.figure, 2), verdict.kept) for verdict in verdicts(made_up())}

    assert found == {
        "registrations: (e) / gateway ≥ 0.45": (0.5, True),
        "registrations, 32 connections: p99 / p50 ≤ 3": (1.5, True),
        "events: (d) / gateway ≥ 0.65": (0.5, False),
        "an event beside the most / the fewest conversations ≤ 1.15": (1.2, False),
    }


def test_the_verdicts_of_all_databases_are_one_table() -> None:
    lines = targets.table(list(verdicts(made_up()))).splitlines()

    assert [cell.strip() for cell in lines[0].split("|")] == ["", "target", "sqlite", ""]
    assert "missed: 0.50" in next(line for line in lines if "(d)" in line)


def test_a_growth_curve_names_its_numbers_and_its_database() -> None:
    svg = draw(made_up(), growth.EVENT, "CPU ms each")

    text = " ".join(ElementTree.fromstring(svg).itertext())
    assert all(part in text for part in ("1,000", "5,000", "19,000", "gateway, sqlite", "CPU ms each"))
