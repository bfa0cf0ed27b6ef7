"""Do the endpoints keep to their description? schemathesis, with all its checks, sends them requests of every kind."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings

from app import create_app
from genesys_gateway.web.operation import Operation
from genesys_gateway.web.operations import OPERATIONS
from tests.doubles.described import left_out
from tests.doubles.web import BOFE_TOKEN, FakeGateway, bearer

#: One token with every role; the roles themselves are tested in test_auth and test_routes.
_ALL_ROLES = f"bofe:{BOFE_TOKEN},ops:{BOFE_TOKEN},backoffice:{BOFE_TOKEN}"
#: Addresses that only pages for people load: those of operators, apart from their JSON, and a part of the description.
BROWSERS_ONLY = re.compile(r"/ops|/ops/(?!api/).*|/docs/<name>")

GATEWAY = FakeGateway(GATEWAY_TOKENS=_ALL_ROLES)

schema = schemathesis.openapi.from_wsgi("/openapi.json", create_app(GATEWAY))


@pytest.fixture(autouse=True)
def closed_again() -> Iterator[None]:
    yield
    GATEWAY.close()


@schema.parametrize()
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_request_is_answered_as_described(case: "schemathesis.Case[Any]") -> None:
    case.call_and_validate(headers=bearer(BOFE_TOKEN), excluded_checks=left_out(case))


def test_it_describes_every_address_and_method_there_is_and_no_other(client: FlaskClient) -> None:
    described = {(one.path, one.method) for one in OPERATIONS}
    there = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        if not BROWSERS_ONLY.fullmatch(rule.rule)
        for method in (rule.methods or set()) - {"HEAD"}
    }
    camel = {(re.sub(r"{(\w+)_id}", r"{\1Id}", path), method) for path, method in there}
    assert described == camel


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_while_the_gateway_starts_every_address_answers_as_described(one: Operation) -> None:
    gateway = FakeGateway()
    gateway.serving = False

    answer = create_app(gateway).test_client().open(one.path.format(**one.path_ids), method=one.method)

    assert answer.status_code in {*one.replies, *one.problems}
