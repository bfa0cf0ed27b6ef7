"""The description of the HTTP interface in OpenAPI 3.1, made from the schemas that also check the requests.

``python -m genesys_gateway.web.openapi`` prints it; ``docs/openapi.json`` holds a copy.
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

from genesys_gateway.runtime.version import __version__
from genesys_gateway.web import problems
from genesys_gateway.web.operation import CALLERS, OPERATORS, Examples, Operation, Parameter, Reply
from genesys_gateway.web.operations import OPERATIONS
from genesys_gateway.web.schemas.replies import ProblemReply
from genesys_gateway.web.schemas.requests import UUID_PATTERN

_ABOUT = """\
The bank's front-end registers interactions here; each after-call work of an interaction becomes a record at \
CommunicationHistory-manager.

JSON in, JSON out. **2xx means: committed to disk.** Errors are `application/problem+json` (RFC 9457). Checks are made \
in this order: address 404, method 405, credential 401, role 403, rate 429, size 413, content type 415, JSON 400, \
schema 422; then 503 if nothing can be committed now. Unknown fields are ignored. A UUID has 8-4-4-4-12 hexadecimal \
digits in either case and is answered in lower case.

For servers only: there is no CORS, and browsers must not call this interface."""

_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of a role, or a JSON Web Token if the gateway is configured for an issuer.",
}
#: When a problem with this status is answered.
_WHEN = {
    400: "The body is not JSON, or two parsers could read it differently.",
    401: "The request has no credential, or an unknown one.",
    403: "The credential is known but does not have the role.",
    404: "The interaction was never registered, there is no such record, or there is nothing at this address.",
    405: "The address exists, but not with this method. Any address may answer this.",
    409: "The interaction belongs to another customer, and delivery of one of its records has begun; or the record"
    " is not dead.",
    408: "The body did not arrive within seconds.",
    413: "The body is larger than 16 KiB.",
    415: "The content type of the body is not application/json in UTF-8.",
    422: "A field or a parameter is missing or wrong; errors names each.",
    429: "The credential called more often than the configured limit allows.",
    500: "An error of the gateway. It is unknown whether the request was committed; repeat it.",
    503: "The request can't be committed now; repeat it.",
}
_HEADERS = {
    401: ("WWW-Authenticate", "How to authenticate: Bearer.", {"type": "string"}),
    405: ("Allow", "The methods of this address.", {"type": "string"}),
    429: ("Retry-After", "Seconds after which the next call is accepted.", {"type": "integer", "minimum": 1}),
    503: ("Retry-After", "Seconds after which to repeat the request.", {"type": "integer", "minimum": 1}),
}
_WRONG_FIELDS = {"interactionId": ["Must be a UUID: 8-4-4-4-12 hexadecimal digits."]}


@cache
def document() -> bytes:
    """The description as JSON."""
    marshmallow = MarshmallowPlugin(schema_name_resolver=_schema_name)
    spec = APISpec(
        title="Genesys-gateway",
        version=__version__,
        openapi_version="3.1.0",
        plugins=[marshmallow],
        info={"description": _ABOUT},
        servers=[{"url": "/"}],
        tags=[{"name": CALLERS}, {"name": OPERATORS}],
    )
    # APISpec has set the plugin's converter, but apispec's types say that it may be missing.
    cast(Any, marshmallow.converter).add_attribute_function(_without_direction)
    spec.components.security_scheme("bearer", _BEARER)
    for status in _WHEN:
        spec.components.response(_problem_name(status), _problem(status))
    for one in OPERATIONS:
        spec.path(one.path, operations={one.method: _operation(one)})
    return orjson.dumps(spec.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _schema_name(schema: type[Schema] | Schema) -> str:
    schema_class = schema if isinstance(schema, type) else type(schema)
    return schema_class.__name__.removesuffix("Reply")


def _without_direction(_converter: object, _field: Field[Any], ret: dict[str, Any], **_: object) -> dict[str, Any]:
    """Drop readOnly and writeOnly: each schema is used in one direction only, so its fields need not repeat it."""
    ret.pop("readOnly", None)
    ret.pop("writeOnly", None)
    return {}


def _operation(one: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": one.summary,
        "description": _description(one),
        "security": [{"bearer": []}] if one.roles else [],
        "responses": {str(status): _reply(reply) for status, reply in one.replies.items()}
        | {str(status): _problem_name(status) for status in sorted(one.problems)},
    }
    parameters = [_path_id(name, example) for name, example in one.path_ids.items()]
    if parameters := parameters + [_parameter(parameter) for parameter in one.query]:
        described["parameters"] = parameters
    if one.takes is not None:
        content = {"schema": one.takes, "examples": _examples(one.examples)}
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    return described


def _description(one: Operation) -> str:
    roles = f"Role: {' or '.join(one.roles)}." if one.roles else "Needs no credential."
    return f"{one.description} {roles}".strip()


def _path_id(name: str, example: str) -> dict[str, Any]:
    schema = {"type": "string", "format": "uuid", "pattern": f"^{UUID_PATTERN}$"}
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


def _parameter(one: Parameter) -> dict[str, Any]:
    described = {"name": one.name, "in": "query", "description": one.description, "schema": dict(one.schema)}
    return described if one.example is None else described | {"example": one.example}


def _reply(reply: Reply) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": reply.schema or {"type": "string"}}
    if reply.many:
        content = {"schema": {"type": "array", "items": reply.schema}}
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
    described: dict[str, Any] = {"description": _WHEN[status], "content": {problems.CONTENT_TYPE: content}}
    if status in _HEADERS:
        name, description, schema = _HEADERS[status]
        described["headers"] = {name: {"description": description, "required": True, "schema": schema}}
    return described


def _problem_examples(status: int) -> Mapping[str, Any]:
    """Examples made by the same code as real answers."""
    errors = _WRONG_FIELDS if status == 422 else None
    examples = {"problem": orjson.loads(problems.document(status, problems.DETAILS[status], errors))}
    if status == 404:
        examples["never registered"] = orjson.loads(problems.document(status, problems.NEVER_REGISTERED))
    return examples


if __name__ == "__main__":
    sys.stdout.buffer.write(document())
