"""The dashboard in a real browser before a real gateway: an operator's evening, with and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from genesys_gateway.web.ops.session import COOKIE
from tests.flow.browser import NAMED, Visit, violations
from tests.flow.gateways import start_gateway
from tests.harness.gateway import OPS_TOKEN, Gateway
from tests.harness.http import JsonClient
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

NOTES = "<img src=x onerror=alert(1)> He is getting divorced"
SUBJECT = "</title><script>alert(2)</script>"
ANI = "+639171234567"


class Scene:
    """A contact centre, a gateway, and a customer for each call."""

    def __init__(self, simulator: Simulator, gateway: Gateway) -> None:
        self.simulator = simulator
        self.gateway = gateway

    def call(self) -> str:
        """Start a conversation, register it, and wait until it is covered."""
        session = self.simulator.start(mediaType="VOICE", direction="INBOUND", ani=ANI, subject=SUBJECT)
        assert self.gateway.register(session.conversation, str(uuid4())).status == 201
        until(lambda: self.gateway.view(session.conversation)["state"] == "subscribed", 15)
        return session.conversation

    def record(self, state: str) -> str:
        """Have a call wrapped up; returns its conversation when its record is in that state."""
        conversation = self.call()
        self.simulator.act(conversation, "wrapup", notes=NOTES)
        until(lambda: [one["state"] for one in self.gateway.view(conversation)["records"]] == [state], 20)
        return conversation

    def until_told(self, code: str) -> None:
        """Wait until the overview has the trouble: a page without JavaScript does not follow."""
        operators = JsonClient(self.gateway.url, OPS_TOKEN)
        until(lambda: code in [one["code"] for one in operators.request("GET", "/ops/api/status").json["troubles"]])
        operators.close()

    def record_id(self, conversation: str) -> str:
        return str(self.gateway.view(conversation)["records"][0]["id"])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    simulator = Simulator(tmp_path_factory.mktemp("simulator"))
    quick = {"GATEWAY_RETRY_BASE_SECONDS": "0.1", "GATEWAY_RETRY_MAX_SECONDS": "0.5"}
    gateway = start_gateway(tmp_path_factory.mktemp("gateway"), simulator.url, **quick)
    yield Scene(simulator, gateway)
    assert gateway.stop() == 0
    simulator.stop()


@pytest.fixture
def visit(launched: Browser, scene: Scene) -> Iterator[Visit]:
    visitor = Visit(launched, scene.gateway.url)
    yield visitor
    visitor.context.close()
    assert visitor.complaints == []
    scene.simulator.set_receiver("ok")


def log_out_and_stay_out(page: Page) -> None:
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/ops/login")
    page.goto("/ops/conversations")
    page.wait_for_url("**/ops/login?next=/ops/conversations")


def test_a_wrong_token_is_refused_a_right_one_opens_the_overview_and_logout_ends_it(visit: Visit) -> None:
    page = visit.page
    page.goto("/ops/")
    page.wait_for_url("**/ops/login")

    page.get_by_label("Token of an operator").fill("not-a-token-of-anybody")
    with page.expect_response("**/ops/login") as answer:
        page.get_by_role("button", name="Log in").click()
    assert answer.value.status == 401
    expect(page.get_by_role("alert")).to_contain_text("not known")

    visit.log_in(OPS_TOKEN)
    expect(page.get_by_role("heading", name="The promise is kept.")).to_be_visible()
    log_out_and_stay_out(page)


def test_a_session_that_has_ended_does_not_lose_the_page(visit: Visit) -> None:
    page = visit.log_in(OPS_TOKEN)
    page.goto("/ops/conversations?state=closed")
    page.get_by_label("State").select_option("pending")
    visit.context.add_cookies([{"name": COOKIE, "value": "ended", "domain": "127.0.0.1", "path": "/ops"}])

    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_have_text("Your session has ended. Log in again.")
    page.get_by_label("Token of an operator").fill(OPS_TOKEN)
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_label("State")).to_have_value("pending")


def test_a_browser_that_knows_us_by_a_name_without_tls_can_log_in_and_out(launched: Browser, scene: Scene) -> None:
    """It trusts loopback more than any other host: only here it sends ``Origin`` without ``Sec-Fetch-Site``."""
    visitor = Visit(launched, f"http://{NAMED}:{scene.gateway.port}")
    log_out_and_stay_out(visitor.log_in(OPS_TOKEN))
    visitor.context.close()


def test_the_overview_follows_without_being_loaded_again_and_keeps_its_focus(visit: Visit, scene: Scene) -> None:
    page = visit.log_in(OPS_TOKEN)
    accepted = page.locator(".balance b").first
    before = int(accepted.inner_text().replace(",", ""))
    page.evaluate("window.loadedOnce = true")
    figures = page.locator("#table-registrations")
    figures.locator("summary").focus()
    page.keyboard.press("Enter")

    scene.call()

    expect(accepted).to_have_text(f"{before + 1:,}")
    expect(page.locator(".part-channels tbody tr").first).to_contain_text("open")
    assert page.evaluate("window.loadedOnce")
    assert page.evaluate("document.activeElement.closest('details').id") == "table-registrations"
    assert figures.evaluate("one => one.open")


def test_a_trouble_appears_is_announced_and_goes(visit: Visit, scene: Scene) -> None:
    page = visit.log_in(OPS_TOKEN)
    page.evaluate("window.loadedOnce = true")
    scene.simulator.set_receiver("422")
    record = scene.record_id(scene.record("dead"))

    trouble = page.locator("#trouble-records_dead")
    expect(trouble.get_by_role("link", name="the runbook")).to_have_attribute("href", "/ops/runbook#records_dead")
    expect(trouble).to_contain_text("1 record")
    expect(trouble.locator("time")).to_be_visible()
    expect(page.locator("#announcements")).to_contain_text("New trouble")
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    trouble.locator("summary").click()
    expect(trouble.locator("details")).to_contain_text("Have the cause fixed")

    scene.simulator.set_receiver("ok")
    operators = JsonClient(scene.gateway.url, OPS_TOKEN)
    assert operators.request("POST", f"/ops/api/records/{record}/requeue").status == 202
    operators.close()

    expect(trouble).to_have_count(0)
    expect(page.locator("#announcements")).to_contain_text("Over:")
    expect(page).to_have_title(re.compile("^Overview"))
    assert page.evaluate("window.loadedOnce")


def test_a_conversation_is_found_by_the_beginning_of_its_id_and_explained(visit: Visit, scene: Scene) -> None:
    conversation = scene.record("delivered")
    page = visit.log_in(OPS_TOKEN)
    page.get_by_role("link", name="Conversations").click()
    page.get_by_label("Interaction id").fill("not an id")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert")).to_contain_text("hexadecimal")

    page.get_by_label("Interaction id").fill(conversation[:13].upper())
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=conversation).click()

    expect(page.locator(".sentences")).to_contain_text("Paired with a customer.")
    expect(page.locator(".timeline")).to_contain_text("Registered by BOFE")
    expect(page.locator(".plain")).to_contain_text("In CommunicationHistory")

    page.goto(f"/ops/conversations?q={conversation}&state=")
    assert page.url.endswith(f"/ops/conversations/{conversation}")


def test_a_record_is_masked_until_it_is_revealed_which_is_noted(visit: Visit, scene: Scene) -> None:
    conversation = scene.record("delivered")
    page = visit.log_in(OPS_TOKEN)
    page.goto(f"/ops/records/{scene.record_id(conversation)}")
    assert NOTES not in page.inner_text("main")
    assert ANI not in page.content()

    page.get_by_role("button", name="Reveal personal content").click()

    expect(page.get_by_text(NOTES)).to_be_visible()
    expect(page.get_by_text(ANI)).to_be_visible()
    expect(page.get_by_text(SUBJECT)).to_be_visible()
    page.goto(f"/ops/conversations/{conversation}")
    expect(page.locator(".timeline")).to_contain_text(re.compile(r"personal content.* ops [0-9a-f]{8}"))


def test_what_was_given_up_is_requeued_one_by_one_and_all_alike(visit: Visit, scene: Scene) -> None:
    scene.simulator.set_receiver("422")
    first, *others = [scene.record("dead") for _ in range(3)]
    scene.simulator.set_receiver("ok")
    page = visit.log_in(OPS_TOKEN)
    page.get_by_role("link", name="Look at the dead letters").click()
    page.get_by_role("link", name=scene.record_id(first)).click()
    page.get_by_text("Requeue this record").click()
    page.get_by_role("button", name="Requeue it").click()
    expect(page.get_by_role("status")).to_contain_text("Requeued")
    until(lambda: scene.gateway.view(first)["records"][0]["state"] == "delivered", 20)

    page.get_by_role("link", name="Dead letters").click()
    reason = page.locator(".reasons li")
    expect(reason).to_contain_text("HTTP 422")
    expect(reason).to_contain_text("2 records")
    reason.locator("summary").click()
    reason.get_by_role("button", name="Requeue 2 records").click()

    expect(page.get_by_role("status")).to_contain_text("2 records requeued")
    until(lambda: {scene.gateway.view(one)["records"][0]["state"] for one in others} == {"delivered"}, 20)
    page.goto("/ops/dead-letters")
    expect(page.locator("main")).to_contain_text("Nothing was given up.")


def test_everything_works_without_javascript(launched: Browser, scene: Scene) -> None:
    scene.simulator.set_receiver("422")
    conversation = scene.record("dead")
    scene.simulator.set_receiver("ok")
    scene.until_told("records_dead")
    visit = Visit(launched, scene.gateway.url, java_script_enabled=False)
    page = visit.log_in(OPS_TOKEN)
    expect(page.get_by_role("heading", name="The promise is kept.")).to_be_visible()
    expect(page.locator("#trouble-records_dead")).to_be_visible()
    expect(page.locator("svg.plot")).to_have_count(6)
    page.get_by_role("link", name="Load it again").click()

    page.get_by_role("link", name="Conversations").click()
    page.get_by_label("Interaction id").fill(conversation)
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(f"**/ops/conversations/{conversation}")
    expect(page.locator("main > .wrong")).to_contain_text("A record was given up.")
    page.get_by_role("link", name=scene.record_id(conversation)).first.click()
    page.get_by_role("button", name="Reveal personal content").click()
    expect(page.get_by_text(NOTES)).to_be_visible()
    page.get_by_role("link", name="Hide it again").click()
    expect(page.get_by_text(NOTES)).to_have_count(0)
    page.get_by_role("link", name="Dead letters").click()
    page.locator(".reasons summary").click()
    page.get_by_role("button", name="Requeue 1 record").click()
    expect(page.get_by_role("status")).to_contain_text("1 record requeued")
    log_out_and_stay_out(page)
    visit.context.close()


def test_the_keyboard_alone_leads_from_the_login_over_a_trouble_to_its_record(visit: Visit, scene: Scene) -> None:
    scene.simulator.set_receiver("422")
    conversation = scene.record("dead")
    scene.simulator.set_receiver("ok")
    page = visit.page
    page.goto("/ops/login")
    expect(page.get_by_label("Token of an operator")).to_be_focused()
    page.keyboard.type(OPS_TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_url("**/ops/")
    expect(page.locator("#trouble-records_dead")).to_be_visible()

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
    page.keyboard.press("Enter")
    _tab_to(page, "Look at the dead letters")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ops/dead-letters")
    _tab_to(page, scene.record_id(conversation))
    page.keyboard.press("Enter")
    page.wait_for_url("**/ops/records/*")
    _tab_to(page, "Requeue this record")
    page.keyboard.press("Enter")
    _tab_to(page, "Requeue it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Requeued")


def test_axe_finds_nothing_wrong_with_any_page(visit: Visit, scene: Scene) -> None:
    scene.simulator.set_receiver("422")
    conversation = scene.record("dead")
    record = scene.record_id(conversation)
    page = visit.page
    page.goto("/ops/login")
    found = violations(page)
    visit.log_in(OPS_TOKEN)
    for address in (
        "",
        "conversations",
        f"conversations/{conversation}",
        "conversations?q=zz",
        "records",
        f"records/{record}",
        "dead-letters",
        "runbook",
        "nothing",
    ):
        page.goto(f"/ops/{address}")
        for summary in page.locator("summary").all():
            summary.click()
        found += violations(page)
    page.goto(f"/ops/records/{record}")
    page.get_by_role("button", name="Reveal personal content").click()
    expect(page.get_by_text(NOTES)).to_be_visible()
    assert found + violations(page) == []


def _tab_to(page: Page, text: str, most: int = 60) -> None:
    """Press Tab until what has the focus reads like that, and is seen to have it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "[document.activeElement.innerText.trim(), getComputedStyle(document.activeElement).outlineStyle]"
        )
        if focused[0].startswith(text):
            assert focused[1] != "none"
            return
    raise AssertionError(f"no {text!r} within {most} tabs")
