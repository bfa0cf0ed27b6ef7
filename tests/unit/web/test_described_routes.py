"""Does the door keep to its description, whatever is sent to it? Asked by schemathesis, with all its checks."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings

from app import create_app
from tests.doubles.web import BOFE_TOKEN, FakeGateway

#: One token with every role: which role opens what is asked elsewhere.
_ALL = f"bofe:{BOFE_TOKEN},ops:{BOFE_TOKEN},backoffice:{BOFE_TOKEN}"

schema = schemathesis.openapi.from_wsgi("/openapi.json", create_app(FakeGateway(GATEWAY_TOKENS=_ALL)))


@schema.parametrize()
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_request_is_answered_as_described(case: "schemathesis.Case[Any]") -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {BOFE_TOKEN}"})
