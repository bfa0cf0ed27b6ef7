"""Each code has its words, and an entry in the runbook; findings of several instances become one trouble."""

import re
from typing import get_args

import pytest

from genesys_gateway.oversight.codes import WORDING, anchor, merged, trouble
from genesys_gateway.oversight.finding import Code, Finding
from tests.architecture.sources import PROJECT

CODES = get_args(Code)
RUNBOOK = (PROJECT / "docs" / "runbook.md").read_text()


def test_the_fifteen_codes_have_words_and_no_other_has() -> None:
    assert len(CODES) == 15
    assert sorted(WORDING) == sorted(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_told_in_one_sentence_with_a_figure_and_one_of_advice(code: Code) -> None:
    found = trouble(Finding(code=code, since=5), {})

    assert (found.code, found.since) == (code, 5)
    assert re.search(r"\d", found.text)
    assert "{" not in found.text
    assert re.fullmatch(r"[A-Z0-9][^.]*\.", re.sub(r"\.(?=\w)", "", found.text))
    assert found.advice.endswith(f", see docs/runbook.md#{code}")
    assert ". " not in found.advice


@pytest.mark.parametrize("code", CODES)
def test_the_anchor_of_a_code_is_an_entry_of_the_runbook_that_says_what_to_do(code: Code) -> None:
    file, _, place = anchor(code).partition("#")
    headings = re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE)
    entry = RUNBOOK.partition(f"\n## {code}\n")[2].partition("\n## ")[0]

    assert (file, place) == ("docs/runbook.md", code)
    assert headings.count(code) == 1
    for part in ("**Meaning.**", "**Look at**", "**Do.**", "**Ends**"):
        assert entry.count(part) == 1, part


def test_the_entries_are_in_the_order_of_the_codes() -> None:
    assert re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE) == list(CODES)


def test_a_figure_takes_the_noun_that_fits_and_separates_thousands() -> None:
    one = trouble(Finding(code="receiver_down", since=1, facts={"error": "HTTP 503"}), {"backlog": 1})
    many = trouble(Finding(code="receiver_down", since=1, facts={"error": "timeout"}), {"backlog": 12_345})

    assert one.text == "CommunicationHistory does not take records (HTTP 503); 1 record waits for it."
    assert many.text == "CommunicationHistory does not take records (timeout); 12,345 records wait for it."


@pytest.mark.parametrize(
    ("code", "facts", "text"),
    [
        ("records_dead", {"dead": 1, "error": "HTTP 422"}, "1 record was given up, because of HTTP 422."),
        ("uncovered", {"uncovered": 1}, "No open socket covers 1 of 12 followed conversations,"),
        ("channels_full", {"waiting": 2, "channels": 1}, "1 channel is full, and one more is kept for handovers."),
        ("frames_set_aside", {"frames": 1, "reason": "field"}, "1 frame was set aside in the last hour, because of f"),
        ("instance_lost", {"lost": 1, "orphans": 0}, "1 instance ended without leaving, and 0 conversations wait for"),
        ("instance_lost", {"lost": 2, "orphans": 1}, "2 instances ended without leaving, and 1 conversation waits for"),
    ],
)
def test_each_figure_decides_about_its_own_words_only(code: Code, facts: dict[str, int | str], text: str) -> None:
    assert text in trouble(Finding(code=code, since=1, facts=facts), {"followed": 12}).text


def test_a_finding_tells_its_figures_or_the_sentence_has_its_own() -> None:
    told = trouble(Finding(code="records_dead", since=1, facts={"dead": 3, "error": "HTTP 422"}), {})
    untold = trouble(Finding(code="records_dead", since=1), {})

    assert told.text.startswith("3 records were given up")
    assert untold.text.startswith("1 record was given up")


def test_what_several_instances_find_is_one_trouble_since_the_earliest() -> None:
    early = Finding(code="channels_full", since=10, facts={"waiting": 3, "channels": 19})
    late = Finding(code="channels_full", since=20, facts={"waiting": 4, "channels": 18})

    assert merged([late, early]) == [Finding(code="channels_full", since=10, facts={"waiting": 7, "channels": 19})]
    assert merged([early, late]) == merged([late, early])


def test_of_other_figures_the_largest_counts_and_of_words_the_earliest() -> None:
    early = Finding(code="receiver_refuses", since=10, facts={"refused": 10, "error": "HTTP 422"})
    late = Finding(code="receiver_refuses", since=20, facts={"refused": 12, "error": "HTTP 400"})

    (found,) = merged([late, early])

    assert found.facts == {"refused": 12, "error": "HTTP 422"}


def test_the_gravest_trouble_comes_first_and_a_cause_before_what_it_causes() -> None:
    told = [
        "unresolved",
        "receiver_refuses",
        "receiver_down",
        "uncovered",
        "channels_full",
        "no_token",
        "assertion_stale",
        "disk_refuses",
        "unaccounted",
    ]

    found = merged(Finding(code=code, since=since) for since, code in enumerate(CODES))

    assert [one.code for one in found if one.code in told] == told[::-1]
    assert len(found) == len(CODES)
