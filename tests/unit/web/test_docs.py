"""Is the description shown to people without contacting another host?"""

import re

import pytest
from flask.testing import FlaskClient

from genesys_gateway.web import docs
from tests.doubles.web import FakeGateway


def test_the_page_is_made_of_what_this_process_serves(client: FlaskClient) -> None:
    page = client.get("/docs")

    assert page.content_type == "text/html; charset=utf-8"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded
    for address in loaded:
        assert client.get(f"/{address}").status_code == 200, address
    assert not re.findall(r"https?://", page.text + client.get("/docs/start.js").text)


@pytest.mark.parametrize("address", ["/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js", "/openapi.json"])
def test_a_browser_is_told_to_load_nothing_from_elsewhere(client: FlaskClient, address: str) -> None:
    answer = client.get(address)

    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "http" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["", "index.html", "LICENSE", "..%2F__init__.py", "../__init__.py", "%2Fetc%2Fpasswd"])
def test_nothing_else_lies_below_the_page(client: FlaskClient, name: str) -> None:
    assert client.get(f"/docs/{name}").status_code == 404


def test_both_are_there_while_the_gateway_starts(client: FlaskClient, gateway: FakeGateway) -> None:
    gateway.serving = False

    assert [client.get(address).status_code for address in ("/docs", "/openapi.json")] == [200, 200]


def test_no_method_can_be_tried_out_from_the_page() -> None:
    assert "supportedSubmitMethods: []" in docs._SCRIPT
