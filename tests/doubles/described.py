"""Which of schemathesis's checks say nothing about a request that a test sends."""

from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance


def left_out(case: "schemathesis.Case[Any]") -> list[Any]:
    """The checks to leave out for this request."""
    checks: list[Any] = []
    if "cursor" in (case.query or {}):
        # No schema can tell a cursor that was answered from any other text.
        checks.append(positive_data_acceptance)
    components = {} if case.meta is None else case.meta.components
    if ParameterLocation.HEADER in components and components[ParameterLocation.HEADER].mode.is_negative:
        # What was wrong with the headers, such as a missing credential, is right again: the test sends its own.
        checks.append(negative_data_rejection)
    return checks
