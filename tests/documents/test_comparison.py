"""The comparison with other clients: whatever is said of one has a source and a date, and tables are whole."""

import re

import pytest

from tests.architecture.sources import PROJECT

COMPARISON = (PROJECT / "docs" / "comparison.md").read_text()
ALTERNATIVES = (PROJECT / "docs" / "alternatives.md").read_text()


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below this heading, without its two head rows."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][2:]


@pytest.mark.parametrize("heading", ["What was read", "EventBridge, triggers and polling"])
def test_whatever_was_read_has_a_source_and_a_date(heading: str) -> None:
    table = rows(COMPARISON, heading)
    assert len(table) >= 8
    for *_, source, date in table:
        assert re.search(r"\]\(https://\S+\)", source), source
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", date), date


@pytest.mark.parametrize("heading", ["How they stay connected", "What happens to the events"])
def test_the_same_clients_stand_in_every_table(heading: str) -> None:
    own, *others = rows(COMPARISON, heading)
    assert own[0] == "**this gateway**"
    assert [row[0] for row in others] == [row[0] for row in rows(COMPARISON, "What was read")]


@pytest.mark.parametrize("page", [COMPARISON, ALTERNATIVES], ids=["comparison", "alternatives"])
def test_every_row_has_all_its_cells(page: str) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1, table.splitlines()[0]


def test_every_number_in_brackets_is_a_source_and_every_source_is_used() -> None:
    text = ALTERNATIVES.partition("\n## Sources\n")[0]
    used = {int(no) for nos in re.findall(r"\[(\d+(?:, \d+)*)\]", text) for no in nos.split(", ")}
    listed = rows(ALTERNATIVES, "Sources")
    assert [int(row[0]) for row in listed] == sorted(used)
    assert all("](https://" in row[1] for row in listed)
