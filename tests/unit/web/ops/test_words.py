"""Are times, durations and troubles written for people, and is nothing written as HTML that is not?"""

from typing import get_args

import pytest

from genesys_gateway.oversight.finding import Code
from genesys_gateway.web.ops import words
from genesys_gateway.web.ops.runbook import parsed, runbook

NOW = 1_795_313_585_000  # 2026-11-22T02:13:05Z


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(-5, "0 s"), (900, "0 s"), (95_000, "95 s"), (120_000, "2 min"), (7_200_000, "2 h"), (172_800_000, "2 days")],
)
def test_a_duration_is_in_a_unit_of_which_there_are_two(milliseconds: int, text: str) -> None:
    assert words.duration(milliseconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.08, "80 ms"), (1, "1 s"), (1.54, "1.5 s"), (12.4, "12 s"), (60, "1 min"), (600, "10 min"), (7200, "2 h")],
)
def test_a_duration_in_a_chart_is_short(value: float, text: str) -> None:
    assert words.seconds(value) == text


def test_a_time_of_today_is_without_its_day() -> None:
    assert words.moment(NOW - 1000, NOW) == '<time datetime="2026-11-22T02:13:04.000Z">02:13:04 UTC</time>'
    assert ">21 Nov, 22:13:05 UTC<" in words.moment(NOW - 4 * 3_600_000, NOW)
    assert ">22 Nov 2025, 02:13:05 UTC<" in words.moment(NOW - 365 * 86_400_000, NOW)
    assert words.moment(None, NOW) == "—"


def test_a_distance_says_which_way() -> None:
    assert [words.distance(one, NOW) for one in (NOW - 12_000, NOW, NOW + 60_000, None)] == [
        "12 s ago",
        "0 s ago",
        "in 60 s",
        "—",
    ]


def test_the_times_of_a_sentence_are_written_for_people_and_the_rest_is_escaped() -> None:
    assert words.told("Since 2026-11-22T02:13:04.000Z <b>", NOW) == (
        'Since <time datetime="2026-11-22T02:13:04.000Z">02:13:04 UTC</time> &lt;b&gt;'
    )


def test_numbers_have_their_thousands_apart() -> None:
    assert [words.count(1234567.4), words.counted(1, "record"), words.counted(1200, "record")] == [
        "1,234,567",
        "1 record",
        "1,200 records",
    ]


def test_every_trouble_has_a_title_and_an_entry_in_the_runbook() -> None:
    assert set(words.TITLES) == set(get_args(Code)) == set(runbook().entries) - {"Alerts without a code"}
    assert words.title("something_new") == "Something new"


def test_the_anchor_of_an_advice_is_a_link() -> None:
    assert words.linked("Do <it>, see docs/runbook.md#no_token.", "no_token") == (
        'Do &lt;it&gt;, see <a href="/ops/runbook#no_token">the runbook</a>.'
    )
    assert words.linked("Do it", "no_token") == "Do it"


def test_commands_and_settings_in_an_advice_are_set_as_code() -> None:
    assert words.linked("Ask the command check, or raise GATEWAY_CHANNEL_BUDGET of OAuth", "no_token") == (
        "Ask the command <code>check</code>, or raise <code>GATEWAY_CHANNEL_BUDGET</code> of OAuth"
    )


def test_the_runbook_is_written_as_html_and_escaped() -> None:
    book = parsed(
        "# Runbook\n\nFirst `a<b`.\n\n<!-- run: nothing -->\n```sh\nrun <it>\n\nagain\n```\n\n"
        "## no_token\n\n**Do.** See [it](#uncovered), or\n"
        "[that](operations.md#x) <b>.\n\n* one\n* `two`\n\n### calls_left\n\n[All](../deploy/x.yml)\n"
    )

    assert book.opening == (
        "<p>First <code>a&lt;b</code>.</p>\n"
        '<pre tabindex="0" role="region" aria-label="Commands"><code>run &lt;it&gt;\n\nagain\n</code></pre>'
    )
    assert book.entries == {
        "no_token": '<p><b>Do.</b> See <a href="/ops/runbook#uncovered">it</a>, or\n'
        "that (<code>docs/operations.md</code>) &lt;b&gt;.</p>\n"
        '<ul><li>one</li><li><code>two</code></li></ul>\n<h3 id="calls_left">calls_left</h3>\n'
        "<p>All (<code>deploy/x.yml</code>)</p>"
    }
    assert book.parts == {"no_token": ("calls_left",)}
