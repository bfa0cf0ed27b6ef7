"""Is the OpenAPI document valid and complete, and do its examples match what is really answered?"""

import io
import json
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
from genesys_gateway.web import openapi, problems
from tests.doubles.web import ADDRESS, BOFE_TOKEN, OPS_TOKEN, PAIR, FakeGateway, bearer

DOCUMENT: dict[str, Any] = json.loads(openapi.document())
KEPT = Path(__file__).parents[3] / "docs" / "openapi.json"


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every description of a body in the document, with a name for it."""
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
    assert served.data == KEPT.read_bytes(), "write it anew: make references"


@pytest.mark.parametrize(("name", "content"), [pytest.param(*one, id=one[0]) for one in contents()])
def test_every_body_has_examples_and_they_keep_its_schema(name: str, content: dict[str, Any]) -> None:
    root = {"components": DOCUMENT["components"]} | content["schema"]
    validator = OAS31Validator(root, format_checker=OAS31Validator.FORMAT_CHECKER)

    assert content.get("examples") or name == "get /openapi.json 200"
    for example in content.get("examples", {}).values():
        validator.validate(example["value"])


def register(client: FlaskClient, token: str = BOFE_TOKEN, **more: Any) -> TestResponse:
    sent: dict[str, Any] = {"json": PAIR, "headers": bearer(token)} | more
    return client.post(ADDRESS, **sent)


class Endless(io.RawIOBase):
    """A body that never arrives."""

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
            return register(client, json=None, data="{", content_type="application/json")
        case 401 | 403:
            return register(client, "nobody" if status == 401 else OPS_TOKEN)
        case 404:
            return client.get("/nowhere")
        case 405:
            return client.delete(ADDRESS)
        case 408:
            return register(client, environ_overrides={"wsgi.input": Endless()})
        case 413:
            return register(client, json=None, data=b" " * 20_000)
        case 415:
            return register(client, json=None, data="{}", content_type="text/plain")
        case 422:
            return register(client, json=PAIR | {"interactionId": "x"})
        case _:
            return [register(client), register(client)][-1]


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
