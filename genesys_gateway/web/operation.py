"""What is described of one endpoint: parameters, bodies, answers, problems.

Invariant: every body and parameter has an example.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema

Examples = Mapping[str, Any]

#: Headings under which the operations are shown.
CALLERS, OPERATORS = "For callers", "For operators"

#: Statuses that any endpoint with a credential, and any endpoint with a body, may answer with.
CALLER_PROBLEMS = (401, 403, 429, 500, 503)
BODY_PROBLEMS = (400, 408, 413, 415, 422)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A 2xx answer."""

    description: str
    schema: type[Schema] | None = None
    #: whether it is a list of what the schema describes
    many: bool = False
    media_type: str = "application/json"
    examples: Examples = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the query; none is required."""

    name: str
    description: str
    #: in JSON Schema
    schema: Mapping[str, Any]
    example: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one endpoint."""

    name: str
    method: str
    path: str
    tag: str = CALLERS
    summary: str
    description: str = ""
    #: the caller needs one of these; empty: no credential is needed
    roles: Sequence[str] = ()
    #: schema of the request's body
    takes: type[Schema] | None = None
    #: examples of the request's body
    examples: Examples = field(default_factory=dict)
    #: name of each id in the path, with an example
    path_ids: Mapping[str, str] = field(default_factory=dict)
    #: what may stand in the query
    query: Sequence[Parameter] = ()
    #: 2xx answers by status
    replies: Mapping[int, Reply]
    #: statuses of the problems it may answer with
    problems: Sequence[int] = ()
