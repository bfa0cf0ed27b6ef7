"""Writes docs/http.md: every endpoint with its role, what it takes and what it answers, with an example of each."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from genesys_gateway.web import openapi
from genesys_gateway.web.operation import CALLERS, OPERATORS
from tests.documents.references.layout import cell, compact_json, prose, table

_HEAD = """# HTTP

What the gateway answers. This page is made from the code by `make references`; do not edit it.
[openapi.json](openapi.json) says the same for programs, with the schema of each body; the gateway itself shows it at
`/docs`. [Callers and their tokens](callers.md) explains the roles.

"""
_ANY = (401, 403, 429, 500, 503)

Json = Mapping[str, Any]


def page() -> str:
    """The page as Markdown."""
    described: Json = orjson.loads(openapi.document())
    operations = [
        (f"{method.upper()} {path}", one) for path, item in described["paths"].items() for method, one in item.items()
    ]
    sections = "".join(
        f"\n## {title}\n\n{_list(operations, title)}" + "".join(_section(*one) for one in _of(operations, title))
        for title in (CALLERS, OPERATORS)
    )
    return f"{_HEAD}{prose(described['info']['description'])}\n\n## Problems\n\n{_problems(described)}{sections}"


def _of(operations: list[tuple[str, Json]], title: str) -> list[tuple[str, Json]]:
    return [(name, one) for name, one in operations if one["tags"] == [title]]


def _list(operations: list[tuple[str, Json]], title: str) -> str:
    rows = ([f"`{name}`", one["summary"]] for name, one in _of(operations, title))
    return table("endpoint", "does", rows=rows)


def _problems(described: Json) -> str:
    """When each status is answered; those of any endpoint with a credential are not repeated with each."""
    rows = (
        [str(status), cell(described["components"]["responses"][_name(status)]["description"])]
        for status in HTTPStatus
        if _name(status) in described["components"]["responses"]
    )
    example = described["components"]["responses"][_name(HTTPStatus(422))]["content"]["application/problem+json"]
    (problem,) = (one["value"] for one in example["examples"].values())
    return f"{table('status', 'when', rows=rows)}\n{_json(problem)}"


def _name(status: HTTPStatus) -> str:
    return status.phrase.title().replace(" ", "").replace("-", "")


def _section(name: str, one: Json) -> str:
    replies = [(int(status), reply) for status, reply in one["responses"].items()]
    good = [(status, reply) for status, reply in replies if status < 300]
    problems = [str(status) for status, _ in replies if status >= 300 and status not in _ANY]
    parts = [f"\n### {name}\n\n{prose(one['summary'] + '. ' + one['description'])}\n"]
    if parameters := one.get("parameters"):
        rows = ([f"`{each['name']}`", each["in"], cell(each.get("description", "an id"))] for each in parameters)
        parts.append(f"\n{table('parameter', 'in', 'meaning', rows=rows)}")
    if takes := one.get("requestBody"):
        examples = takes["content"]["application/json"]["examples"].values()
        parts += [f"\n{_json(example['value'])}" for example in list(examples)[:1]]
    rows_of_replies = [[str(status), cell(reply["description"])] for status, reply in good]
    if problems:
        rows_of_replies.append([", ".join(problems), "a [problem](#problems)"])
    parts.append(f"\n{table('answer', 'meaning', rows=rows_of_replies)}")
    return "".join(parts) + _example(good)


def _example(replies: list[tuple[int, Json]]) -> str:
    """An example of the first answer that has some in JSON: the one that shows most."""
    for _, reply in replies:
        for kind, content in reply["content"].items():
            if kind == "application/json" and "examples" in content:
                values = [one["value"] for name, one in content["examples"].items() if name != "erased"]
                return f"\n{_json(max(values, key=lambda value: len(str(value))))}"
    return ""


def _json(value: object) -> str:
    return f"```json\n{compact_json(value)}\n```\n"
