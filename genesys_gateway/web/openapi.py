"""The description of the door in OpenAPI 3.1, made of the schemas that requests are checked with.

``python -m genesys_gateway.web.openapi`` prints it as it is kept in ``docs/openapi.json``.
"""

import http
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema
from marshmallow.fields import Field

from genesys_gateway.web import problems
from genesys_gateway.web.operations import CALLERS, OPERATIONS, OPERATORS, Examples, Operation, Reply
from genesys_gateway.web.schemas.replies import ProblemReply
from genesys_gateway.web.schemas.requests import UUID_PATTERN

#: Raised when a caller has to know: the last number for what only adds, the first for what breaks.
VERSION = "1.0.0"

_ABOUT = """\
The bank's front-end registers interactions here; each after-call work of an interaction becomes a record at \
CommunicationHistory-manager.

JSON in, JSON out. **2xx means: committed to disk.** Errors are `application/problem+json` (RFC 9457). Checks stand in \
this order: address 404, method 405, credential 401, role 403, rate 429, size 413, content type 415, JSON 400, schema \
422; then 503 when it can't be committed now. Unknown fields are ignored. A UUID has 8-4-4-4-12 hexadecimal digits in \
either case and is answered in lower case.

For servers only: there is no CORS, and nothing is to be called from a browser."""

_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of a role, or a JSON Web Token where that is set up.",
}
_WHEN = {
    400: "The body is not JSON, or such that two readers could take it for different things.",
    401: "No credential, or none that is known.",
    403: "A known credential without the role.",
    404: "Nobody registered it, or there is nothing at this address.",
    405: "The address exists, the method does not. Any address may answer so.",
    409: "The interaction belongs to another customer, and delivery of a record of it has begun.",
    408: "The body did not come within seconds.",
    413: "The body is larger than 16 KiB.",
    415: "The body is not announced as application/json in UTF-8.",
    422: "A field is missing or wrong; errors names each.",
    429: "The credential called too often, where a limit is set.",
    500: "A mistake of the gateway. Whether the request was committed is not known; repeat it.",
    503: "It can't be committed now; repeat it.",
}
_HEADERS = {
    401: ("WWW-Authenticate", "How to authenticate: Bearer.", {"type": "string"}),
    405: ("Allow", "The methods that the address knows.", {"type": "string"}),
    429: ("Retry-After", "Seconds after which the next call fits.", {"type": "integer", "minimum": 1}),
    503: ("Retry-After", "Seconds after which to repeat it.", {"type": "integer", "minimum": 1}),
}
_WRONG_FIELDS = {"interactionId": ["Must be a UUID: 8-4-4-4-12 hexadecimal digits."]}


@cache
def document() -> bytes:
    """The description as JSON."""
    marshmallow = MarshmallowPlugin(schema_name_resolver=_name)
    spec = APISpec(
        title="Genesys-gateway",
        version=VERSION,
        openapi_version="3.1.0",
        plugins=[marshmallow],
        info={"description": _ABOUT},
        servers=[{"url": "/"}],
        tags=[{"name": CALLERS}, {"name": OPERATORS}],
    )
    # The types of apispec do not know that APISpec has given the plugin its converter.
    cast(Any, marshmallow.converter).add_attribute_function(_without_direction)
    spec.components.security_scheme("bearer", _BEARER)
    for status in _WHEN:
        spec.components.response(_problem_name(status), _problem(status))
    for one in OPERATIONS:
        spec.path(one.path, operations={one.method: _operation(one)})
    return orjson.dumps(spec.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _name(schema: type[Schema] | Schema) -> str:
    made_of = schema if isinstance(schema, type) else type(schema)
    return made_of.__name__.removesuffix("Reply")


def _without_direction(_converter: object, _field: Field[Any], ret: dict[str, Any], **_: object) -> dict[str, Any]:
    """A schema is either sent or answered, so its fields need not say so one by one."""
    ret.pop("readOnly", None)
    ret.pop("writeOnly", None)
    return {}


def _operation(one: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": one.summary,
        "description": _described(one),
        "security": [{"bearer": []}] if one.roles else [],
        "responses": {str(status): _reply(reply) for status, reply in one.replies.items()}
        | {str(status): _problem_name(status) for status in sorted(one.problems)},
    }
    if one.path_ids:
        found["parameters"] = [_path_id(name, example) for name, example in one.path_ids.items()]
    if one.takes is not None:
        content = {"schema": one.takes, "examples": _examples(one.examples)}
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    return found


def _described(one: Operation) -> str:
    roles = f"Role: {' or '.join(one.roles)}." if one.roles else "Needs no credential."
    return f"{one.description} {roles}".strip()


def _path_id(name: str, example: str) -> dict[str, Any]:
    schema = {"type": "string", "format": "uuid", "pattern": f"^{UUID_PATTERN}$"}
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


def _reply(reply: Reply) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": reply.schema or {"type": "string"}}
    if reply.media_type == "application/json" and reply.schema is None:
        content = {"schema": {"type": "object"}}
    if reply.examples:
        content["examples"] = _examples(reply.examples)
    return {"description": reply.description, "content": {reply.media_type: content}}


def _examples(examples: Examples) -> dict[str, Any]:
    return {name: {"value": value} for name, value in examples.items()}


def _problem_name(status: int) -> str:
    return http.HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def _problem(status: int) -> dict[str, Any]:
    content = {"schema": ProblemReply, "examples": _examples(_problem_examples(status))}
    found: dict[str, Any] = {"description": _WHEN[status], "content": {problems.CONTENT_TYPE: content}}
    if status in _HEADERS:
        name, description, schema = _HEADERS[status]
        found["headers"] = {name: {"description": description, "required": True, "schema": schema}}
    return found


def _problem_examples(status: int) -> Mapping[str, Any]:
    """As they are really answered."""
    errors = _WRONG_FIELDS if status == 422 else None
    found = {"problem": orjson.loads(problems.document(status, problems.DETAILS[status], errors))}
    if status == 404:
        found["never registered"] = orjson.loads(problems.document(status, problems.NEVER_REGISTERED))
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(document())
