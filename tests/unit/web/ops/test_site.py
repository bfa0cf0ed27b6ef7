"""Do the pages of errors speak to people, keep the navigation, and lead on?"""

import re

import pytest
from flask.testing import FlaskClient

from app import create_app
from tests.doubles.operated import a_status
from tests.doubles.web import OPS_TOKEN, FakeGateway
from tests.unit.web.ops.test_lists import BROWSER, NOWHERE, RECORD

NAVIGATION = '<nav aria-label="Pages">'


@pytest.fixture
def client(gateway: FakeGateway) -> FlaskClient:
    """A browser with a session."""
    browser = create_app(gateway).test_client()
    browser.post("/ops/login", data={"token": OPS_TOKEN})
    return browser


def links(page: str) -> list[str]:
    return re.findall('href="([^"]+)"', page.partition('<ul class="ways">')[2].partition("</ul>")[0])


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("conversations/abc", "The interaction id is wrong. It has 36 characters"),
        ("records/abc", "The record id is wrong. It has 36 characters"),
        ("records?cursor=x", "Its cursor is wrong, or belongs to another list"),
        ("records?state=x", "state: Must be one of: "),
    ],
)
def test_a_mistyped_address_is_told_what_is_wrong_with_it(client: FlaskClient, address: str, said: str) -> None:
    page = client.get(f"/ops/{address}", headers=BROWSER)
    assert page.status_code == 422
    assert "The address is mistyped" in page.text
    assert said in page.text
    assert "Unprocessable" not in page.text
    assert links(page.text) == ["/ops/"]


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        (f"records/{RECORD}/reveal", f"/ops/records/{RECORD}"),
        (f"records/{RECORD}/requeue", f"/ops/records/{RECORD}"),
        ("dead-letters/requeue", "/ops/dead-letters"),
        ("logout", "/ops"),
    ],
)
def test_the_address_of_a_button_leads_to_its_page(client: FlaskClient, address: str, leads_to: str) -> None:
    answer = client.get(f"/ops/{address}", headers=BROWSER)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert "Only a button leads here." in answer.text
    assert links(answer.text) == [leads_to, "/ops/"]


@pytest.mark.parametrize("address", [f"records/{RECORD}/reveal", "nothing", f"records/{NOWHERE}", "records/abc"])
def test_an_error_keeps_the_navigation_of_a_session(client: FlaskClient, address: str) -> None:
    page = client.get(f"/ops/{address}", headers=BROWSER).text
    assert NAVIGATION in page
    assert re.search('name="csrf" value="[^"]+"', page)


def test_without_a_session_there_is_none(gateway: FakeGateway) -> None:
    page = create_app(gateway).test_client().get("/ops/nothing", headers=BROWSER)
    assert page.status_code == 404
    assert NAVIGATION not in page.text


def test_what_can_not_be_read_now_can_be_tried_again_or_leads_to_what_is_wrong(
    client: FlaskClient, gateway: FakeGateway
) -> None:
    gateway.storage.refuse(1)
    page = client.get("/ops/records?state=dead&cursor=", headers=BROWSER)
    assert page.status_code == 503
    assert links(page.text) == ["/ops/records?state=dead&amp;cursor=", "/ops/"]
    assert "See on the overview what is wrong" in page.text

    gateway.storage.refuse(1)
    assert links(client.get("/ops/records", headers=BROWSER).text) == ["/ops/records", "/ops/"]


def test_what_was_sent_is_not_tried_again_by_a_link(client: FlaskClient, gateway: FakeGateway) -> None:
    gateway.watching.latest = a_status()
    (word,) = set(re.findall('name="csrf" value="([^"]+)"', client.get("/ops/", headers=BROWSER).text))
    gateway.storage.refuse(1)
    answer = client.post(f"/ops/records/{RECORD}/requeue", headers=BROWSER, data={"csrf": word})
    assert answer.status_code == 503
    assert links(answer.text) == ["/ops/"]


def test_a_form_of_an_earlier_session_is_told_to_load_its_page_again(client: FlaskClient) -> None:
    answer = client.post(f"/ops/records/{RECORD}/requeue", headers=BROWSER, data={"csrf": "0"})
    assert answer.status_code == 403
    assert "The page is older than your session." in answer.text
    assert "CSRF" not in answer.text
