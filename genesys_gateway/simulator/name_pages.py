"""Pages of users and wrap-up codes: those with the given ids, or all of them (F64, F65)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genesys_gateway.simulator.errors import ApiError
from genesys_gateway.simulator.wire import Request

#: Number of entities on a page: without `pageSize`, and at most.
_PAGE_SIZE, _PAGE_LIMIT = 25, 500

Entity = Mapping[str, Any]


def name_page(request: Request, folder: str, entities: Mapping[str, Entity]) -> dict[str, Any]:
    """The requested page of these entities; with `id`, only of those that it names. Unknown ids are missing.

    Args:
        folder: Where they are below `/api/v2`.
        entities: By id in lower case.

    Raises:
        ApiError: 400 for a page that can't exist.
    """
    size, number = _number(request, "pageSize", _PAGE_SIZE), _number(request, "pageNumber", 1)
    if size > _PAGE_LIMIT:
        raise ApiError(400, "bad.request", f"pageSize is at most {_PAGE_LIMIT}.")
    asked = _ids_of(request)
    found = [entities[one] for one in asked if one in entities] if asked else list(entities.values())
    pages = -(-len(found) // size)

    def uri(page: int) -> str:
        return f"/api/v2/{folder}?pageSize={size}&pageNumber={page}"

    return {
        "entities": found[(number - 1) * size : number * size],
        "pageSize": size,
        "pageNumber": number,
        "total": len(found),
        "pageCount": pages,
        "firstUri": uri(1),
        "selfUri": uri(number),
        "lastUri": uri(max(pages, 1)),
    }


def _ids_of(request: Request) -> list[str]:
    """The ids in lower case, each once: repeated parameters, or one with commas."""
    ids = [part.lower() for value in request.query.get("id", ()) for part in value.split(",") if part]
    return list(dict.fromkeys(ids))


def _number(request: Request, name: str, default: int) -> int:
    text = request.one(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise ApiError(400, "bad.request", f"{name} must be a number from 1.")
    return int(text)
