"""A page of the dashboard that stays open: what it says when nothing is heard, and that what is read stays in place."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.doubles.operated import a_status
from tests.doubles.served import Served
from tests.doubles.web import OPS_TOKEN
from tests.flow.browser import Visit, violations
from tests.flow.gateways import start_gateway
from tests.harness import gateway as real
from tests.harness.simulator import Simulator

#: A line of the overview that is far below the troubles, and one that is nearly at the end.
LINES = ("#chart-registrations", "#chart-calls", ".part-channels tbody tr:last-child")


@pytest.fixture
def stoppable(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[real.Gateway]:
    running = start_gateway(tmp_path_factory.mktemp("gateway"), simulator.url)
    yield running
    running.close()


def test_without_an_answer_nothing_looks_well_and_all_is_back_with_the_next_one(
    launched: Browser, stoppable: real.Gateway
) -> None:
    visitor = Visit(launched, stoppable.url)
    page = visitor.log_in(real.OPS_TOKEN)
    page.emulate_media(reduced_motion="reduce")  # a colour on its way to another is none to compare with
    band = page.locator(".promise")
    expect(page.get_by_role("heading", name="The promise is kept.")).to_be_visible()
    expect(page.get_by_text("Nothing needs you now.")).to_be_visible()
    green = str(band.evaluate("one => getComputedStyle(one).backgroundColor"))
    page.evaluate("window.loadedOnce = true")

    os.killpg(stoppable.process.pid, signal.SIGSTOP)
    expect(page).to_have_title(re.compile(r"^\(no answer\) Overview"), timeout=20_000)
    page.mouse.wheel(0, 5000)
    expect(page.locator("#live")).to_be_in_viewport()
    expect(page.get_by_role("status").filter(has_text="No answer from the gateway.")).to_contain_text("UTC")
    expect(
        page.get_by_role("heading", name=re.compile(r"^Nothing is known since \d\d:\d\d:\d\d UTC\.$"))
    ).to_be_visible()
    expect(page.get_by_text("Nothing needs you now.")).to_be_hidden()
    expect(band).not_to_contain_text("No trouble")
    expect(band).not_to_have_css("background-color", green)
    assert violations(page) == []

    os.killpg(stoppable.process.pid, signal.SIGCONT)
    expect(page.get_by_role("heading", name="The promise is kept.")).to_be_visible()
    expect(page).to_have_title(re.compile("^Overview"))
    expect(page.get_by_text("Nothing needs you now.")).to_be_visible()
    expect(page.locator("#live")).to_be_empty()
    expect(page.locator("#announcements")).to_contain_text("The gateway answers again.")
    expect(band).to_contain_text("No trouble")
    page.emulate_media(color_scheme="light")
    expect(band).to_have_css("background-color", green)
    assert page.evaluate("window.loadedOnce")
    visitor.context.close()
    assert visitor.complaints == []


def test_a_page_that_slept_asks_before_it_says_that_nothing_is_known(visit: Visit) -> None:
    visit.page.clock.install()
    page = visit.log_in(OPS_TOKEN)
    expect(page.get_by_text("Nothing needs you now.")).to_be_visible()
    page.evaluate(
        "new MutationObserver(() => { window.wasLost = true }).observe(document.body, {attributeFilter: ['class']})"
    )
    for _ in range(2):
        with page.expect_response("**/ops/sections"):
            page.clock.fast_forward(600_000)
        expect(page.get_by_role("heading", name="The promise is kept.")).to_be_visible()
    assert not page.evaluate("window.wasLost")


def test_from_the_first_look_on_what_stays_is_the_same_element(visit: Visit, served: Served) -> None:
    visit.page.add_init_script(
        "addEventListener('DOMContentLoaded', () => {"
        " for (const one of document.querySelectorAll('.part *')) one.asLoaded = true })"
    )
    page = visit.log_in(OPS_TOKEN)
    served.watch.show(a_status("no_token"))
    expect(page.locator("#trouble-no_token")).to_be_visible()

    stayed = ".part *:not(.troubles, .troubles *, .verdict *)"
    new = f"[...document.querySelectorAll('{stayed}')].filter(one => !one.asLoaded).map(one => one.outerHTML)"
    assert page.evaluate(new) == []


@pytest.mark.parametrize(
    "codes", [("no_token",), ("disk_refuses", "receiver_down", "no_token"), ("disk_refuses", "no_token")]
)
def test_a_trouble_keeps_its_focus_when_others_begin_and_end(
    visit: Visit, served: Served, codes: tuple[str, ...]
) -> None:
    served.watch.show(a_status("receiver_down", "no_token"))
    page = visit.log_in(OPS_TOKEN)
    page.locator("#entry-no_token summary").focus()
    page.keyboard.press("Enter")

    served.watch.show(a_status(*codes))
    expect(page.locator(".troubles > li")).to_have_count(len(codes))
    expect(page.locator(".troubles > li h3 code")).to_have_text(list(codes))
    assert page.evaluate("document.activeElement.closest('details').id") == "entry-no_token"
    assert page.locator("#entry-no_token").evaluate("one => one.open")


@pytest.mark.parametrize("line", LINES)
def test_what_is_read_stays_in_its_place_when_troubles_begin_and_end(visit: Visit, served: Served, line: str) -> None:
    page = visit.log_in(OPS_TOKEN)
    expect(page.get_by_text("Nothing needs you now.")).to_be_visible()
    page.locator(line).evaluate("one => window.scrollBy(0, one.getBoundingClientRect().top - 100)")
    before = _top(page, line)
    assert page.evaluate("window.scrollY") > 0

    for codes in (("no_token",), ("receiver_down", "no_token"), ("receiver_down",), ()):
        served.watch.show(a_status(*codes))
        expect(page.locator(".troubles > li")).to_have_count(len(codes))
        assert abs(_top(page, line) - before) <= 1, codes


def test_at_its_top_a_page_stays_there_and_shows_the_new_trouble(visit: Visit, served: Served) -> None:
    page = visit.log_in(OPS_TOKEN)
    served.watch.show(a_status("no_token"))
    expect(page.locator("#trouble-no_token")).to_be_in_viewport()
    assert page.evaluate("window.scrollY") == 0


def test_a_state_without_a_tone_looks_like_the_others(visit: Visit, served: Served) -> None:
    page = visit.log_in(OPS_TOKEN)
    status = a_status()
    standby = replace(status.channels[0], state="standby")
    served.watch.show(replace(status, channels=(standby, *status.channels[1:])))
    pill = page.locator(".part-channels .state", has_text="standby")
    expect(pill).to_be_visible()
    other = page.locator(".part-channels .state", has_text="open").first
    assert pill.evaluate("one => one.offsetHeight") == other.evaluate("one => one.offsetHeight")


def _top(page: Page, line: str) -> float:
    return float(page.locator(line).evaluate("one => one.getBoundingClientRect().top"))
