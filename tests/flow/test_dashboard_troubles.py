"""Every trouble on the page of a real browser; the service behind it is a double that a test sets."""

from __future__ import annotations

from dataclasses import replace

from playwright.sync_api import expect

from genesys_gateway.oversight.codes import WORDING
from genesys_gateway.web.ops.stream import STREAMS
from genesys_gateway.web.ops.words import TITLES
from tests.doubles.operated import a_status, a_trouble, every_trouble
from tests.doubles.served import Served
from tests.doubles.web import OPS_TOKEN
from tests.flow.browser import Visit, sideways, violations

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'"


def test_each_trouble_comes_with_what_to_do_and_goes_while_the_page_stays_open(visit: Visit, served: Served) -> None:
    page = visit.log_in(OPS_TOKEN)
    page.evaluate("window.loadedOnce = true")
    expect(page.get_by_text("Nothing needs you now.")).to_be_visible()
    for code in WORDING:
        served.watch.show(a_status(code))
        trouble = page.locator(f"#trouble-{code}")
        expect(trouble).to_be_visible()
        shown = trouble.inner_text()
        expected = a_trouble(code)
        assert TITLES[code] in shown
        assert expected.text in shown
        assert expected.advice.replace(f"docs/runbook.md#{code}", "the runbook") in shown
        assert "since" in shown
        assert trouble.locator(f"a[href='/ops/runbook#{code}']").count() == 1
        expect(page.locator(".troubles > li")).to_have_count(1)
    served.watch.show(a_status())
    expect(page.get_by_text("Nothing needs you now.")).to_be_visible()
    assert page.evaluate("window.loadedOnce")


def test_what_is_folded_out_stays_so_when_another_trouble_comes_before_it(visit: Visit, served: Served) -> None:
    page = visit.log_in(OPS_TOKEN)
    served.watch.show(a_status("no_token"))
    page.locator("#entry-no_token summary").click()
    served.watch.show(a_status("receiver_down", "no_token"))
    expect(page.locator(".troubles > li")).to_have_count(2)

    assert page.locator("#entry-no_token").evaluate("one => one.open")
    assert page.evaluate("document.activeElement.parentNode.id") == "entry-no_token"
    assert not page.locator("#entry-receiver_down").evaluate("one => one.open")


def test_the_top_line_says_when_the_promise_is_broken_or_can_not_be_checked(visit: Visit, served: Served) -> None:
    page = visit.log_in(OPS_TOKEN)
    served.watch.show(a_status("unaccounted", unaccounted=3))
    expect(page.get_by_role("heading", name="The promise is broken: 3 unaccounted for.")).to_be_visible()
    served.watch.show(a_status("disk_refuses"))
    expect(page.get_by_role("heading", name="The promise can't be checked now.")).to_be_visible()


def test_axe_finds_nothing_wrong_with_all_troubles_at_once(visit: Visit, served: Served) -> None:
    page = visit.log_in(OPS_TOKEN)
    served.watch.show(replace(a_status("unaccounted", unaccounted=3), troubles=every_trouble()))
    expect(page.locator(".troubles > li")).to_have_count(len(WORDING))
    # Not everything: axe takes long for a long page.
    for folded in ("entry-receiver_down", "entry-disk_refuses", "table-freshness"):
        page.locator(f"#{folded} summary").click()
    assert violations(page) == []


def test_no_entry_of_the_runbook_is_too_wide_for_a_phone(visit: Visit, served: Served) -> None:
    page = visit.log_in(OPS_TOKEN)
    served.watch.show(replace(a_status(), troubles=every_trouble()))
    expect(page.locator(".troubles > li")).to_have_count(len(WORDING))
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert sideways(page) == []


def test_hostile_names_are_shown_as_they_are(visit: Visit, served: Served) -> None:
    page = visit.log_in(OPS_TOKEN)
    status = a_status("no_token")
    served.watch.show(
        replace(
            status,
            troubles=(replace(status.troubles[0], text=HOSTILE, advice=HOSTILE),),
            channels=(replace(status.channels[0], id=HOSTILE, owner=HOSTILE, state=HOSTILE),),
            instances=(replace(status.instances[0], id=HOSTILE, state=HOSTILE),),
        )
    )
    expect(page.locator("#trouble-no_token")).to_contain_text(HOSTILE)
    expect(page.locator(".part-channels tbody th")).to_have_text(HOSTILE)
    expect(page.locator(".part-instances tbody th")).to_have_text(HOSTILE)
    assert page.locator("img").count() == 0


def test_a_page_without_a_stream_asks_for_the_sections_itself(visit: Visit, served: Served) -> None:
    first = visit.log_in(OPS_TOKEN)
    expect(first.get_by_text("Nothing needs you now.")).to_be_visible()
    stream = served.app.extensions["genesys_gateway_stream"]
    taken = [stream.begin() for _ in range(STREAMS - stream.open)]
    assert all(taken)

    second = visit.context.new_page()
    with second.expect_response("**/ops/sections"):
        second.goto("/ops/")
    served.watch.show(a_status("no_token"))
    expect(second.locator("#trouble-no_token")).to_be_visible()
    assert stream.open == STREAMS


def test_an_open_page_leads_to_the_login_when_its_session_has_ended(visit: Visit, served: Served) -> None:
    page = visit.log_in(OPS_TOKEN)
    expect(page.get_by_text("Nothing needs you now.")).to_be_visible()
    visit.context.clear_cookies()
    served.watch.draining = True  # the stream ends, and the next one is refused

    page.wait_for_url("**/ops/login")
    expect(page.get_by_label("Token of an operator")).to_be_visible()


def test_a_page_that_hears_nothing_says_so_and_until_when_it_is_true(visit: Visit, served: Served) -> None:
    visit.page.clock.install()
    page = visit.log_in(OPS_TOKEN)
    expect(page.get_by_text("Nothing needs you now.")).to_be_visible()
    served.stop()
    page.clock.fast_forward(30_000)

    expect(page.locator("#live")).to_contain_text("No answer from the gateway.")
    expect(page.locator("#live")).to_contain_text("UTC")
