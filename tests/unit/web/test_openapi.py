"""Is the description of the door true, whole, and shown without asking anybody else?"""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import TestResponse

from app import create_app
from genesys_gateway.runtime.errors import PairedAlready, StorageUnavailable
from genesys_gateway.web import docs, openapi, problems
from genesys_gateway.web.operations import OPERATIONS, Operation
from tests.doubles.web import BOFE_TOKEN, OPS_TOKEN, FakeGateway

DOCUMENT: dict[str, Any] = json.loads(openapi.document())
KEPT = Path(__file__).parents[3] / "docs" / "openapi.json"
ADDRESS = "/customers/supportInteraction"
PAIR = {"customerId": "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4", "interactionId": "633ba5f4-38cd-48fc-bb4c-d77057990b9e"}
BROWSERS_ONLY = {"/docs/<name>"}


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def client(gateway: FakeGateway) -> FlaskClient:
    return create_app(gateway).test_client()


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every place where the description says what a body is like, with a name for it."""
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            bodies = {"request": operation["requestBody"]} if "requestBody" in operation else {}
            for what, body in (bodies | operation["responses"]).items():
                for content in body.get("content", {}).values():
                    yield f"{method} {path} {what}", content
    for name, response in DOCUMENT["components"]["responses"].items():
        yield name, response["content"][problems.CONTENT_TYPE]


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_is_kept_as_it_is_served(client: FlaskClient) -> None:
    served = client.get("/openapi.json")

    assert served.content_type == "application/json"
    assert served.data == KEPT.read_bytes(), "write it anew: make openapi"


def test_it_describes_every_address_and_method_there_is_and_no_other(client: FlaskClient) -> None:
    described = {(one.path, one.method) for one in OPERATIONS}
    there = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        if rule.rule not in BROWSERS_ONLY
        for method in (rule.methods or set()) - {"HEAD"}
    }
    camel = {(path.replace("{interaction_id}", "{interactionId}"), method) for path, method in there}
    assert described == camel


@pytest.mark.parametrize(("name", "content"), [pytest.param(*one, id=one[0]) for one in contents()])
def test_every_body_has_examples_and_they_keep_its_schema(name: str, content: dict[str, Any]) -> None:
    root = {"components": DOCUMENT["components"]} | content["schema"]
    validator = OAS31Validator(root, format_checker=OAS31Validator.FORMAT_CHECKER)

    assert content.get("examples") or name == "get /openapi.json 200"
    for example in content.get("examples", {}).values():
        validator.validate(example["value"])


def ask(client: FlaskClient, token: str = BOFE_TOKEN, **more: Any) -> TestResponse:
    sent: dict[str, Any] = {"json": PAIR, "headers": {"Authorization": f"Bearer {token}"}} | more
    return client.post(ADDRESS, **sent)


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_while_the_gateway_starts_every_address_answers_as_described(one: Operation) -> None:
    gateway = FakeGateway()
    gateway.serving = False

    answer = create_app(gateway).test_client().open(one.path.format(**one.path_ids), method=one.method)

    assert answer.status_code in {*one.replies, *one.problems}


class Endless(io.RawIOBase):
    """A body that never comes."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: object) -> int:
        gevent.sleep(60)
        return 0


def provoked(status: int) -> TestResponse:
    """A real answer with that status."""
    gateway = FakeGateway(GATEWAY_CLIENT_RATE_PER_MINUTE="1" if status == 429 else "0")
    client = create_app(gateway, body_seconds=0.05).test_client()
    errors = {409: PairedAlready("x"), 500: RuntimeError("x"), 503: StorageUnavailable("x", 1)}
    gateway.fail_with(errors.get(status))
    match status:
        case 400:
            return ask(client, json=None, data="{", content_type="application/json")
        case 401 | 403:
            return ask(client, "nobody" if status == 401 else OPS_TOKEN)
        case 404:
            return client.get("/nowhere")
        case 405:
            return client.delete(ADDRESS)
        case 408:
            return ask(client, environ_overrides={"wsgi.input": Endless()})
        case 413:
            return ask(client, json=None, data=b" " * 20_000)
        case 415:
            return ask(client, json=None, data="{}", content_type="text/plain")
        case 422:
            return ask(client, json=PAIR | {"interactionId": "x"})
        case _:
            return [ask(client), ask(client)][-1]


@pytest.mark.parametrize("status", sorted(problems.DETAILS))
def test_the_example_of_each_problem_is_what_is_really_answered(status: int) -> None:
    answered = provoked(status)

    (described,) = [
        response
        for response in DOCUMENT["components"]["responses"].values()
        if response["content"][problems.CONTENT_TYPE]["examples"]["problem"]["value"]["status"] == status
    ]
    assert answered.content_type == problems.CONTENT_TYPE
    assert json.loads(answered.data) == described["content"][problems.CONTENT_TYPE]["examples"]["problem"]["value"]
    assert set(described.get("headers", {})) <= set(answered.headers.keys())


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
