"""The analytics details query: interval, filters, order and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from genesys_gateway.simulator.errors import ApiError
from genesys_gateway.simulator.wire import Request

_PAGE_LIMIT = 100

_Predicate = Mapping[str, Any]


def query_answer(request: Request, details: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The requested page of the details that match the query; only `totalHits` if the page is empty.

    Raises:
        ApiError: 400 for an invalid query.
    """
    query = _query_of(request)
    begin, end = _interval(query)
    size, number = _paging(query)
    if not all(_are_filters(query.get(name)) for name in ("conversationFilters", "segmentFilters")):
        raise ApiError(400, "bad.request", "Filters are a list of objects, and so are their predicates and clauses.")
    hits = [d for d in details if begin <= _time(d["conversationStart"]) < end and _matches(query, d)]
    if query.get("order", "asc") == "desc":
        hits.reverse()
    page = hits[(number - 1) * size : number * size]
    return {"conversations": page, "totalHits": len(hits)} if page else {"totalHits": len(hits)}


def _query_of(request: Request) -> dict[str, Any]:
    try:
        query = request.json()
    except ValueError:
        query = None
    if not isinstance(query, dict):
        raise ApiError(400, "bad.request", "The body must be a query.")
    return query


def _paging(query: Mapping[str, Any]) -> tuple[int, int]:
    """Size and number of the page."""
    paging = query.get("paging") or {}
    if isinstance(paging, dict):
        size, number = paging.get("pageSize", 25), paging.get("pageNumber", 1)
        if isinstance(size, int) and isinstance(number, int) and 1 <= size <= _PAGE_LIMIT and number >= 1:
            return size, number
    raise ApiError(400, "bad.request", f"pageSize is at most {_PAGE_LIMIT}, pageNumber starts at 1.")


def _are_filters(filters: object) -> bool:
    """Whether they can be read: lists of objects, down to the last clause."""
    return filters is None or (
        isinstance(filters, list)
        and all(
            isinstance(one, dict) and _are_filters(one.get("predicates")) and _are_filters(one.get("clauses"))
            for one in filters
        )
    )


def _interval(query: Mapping[str, Any]) -> tuple[float, float]:
    begin, slash, end = str(query.get("interval", "")).partition("/")
    try:
        if slash:
            return _time(begin), _time(end)
    except ValueError:
        pass  # answered below, like a missing interval
    raise ApiError(400, "invalid.date", "An interval is needed, as start/end in ISO-8601.")


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _matches(query: Mapping[str, Any], details: dict[str, Any]) -> bool:
    """Whether all conversation filters hold, and all segment filters hold for at least one segment."""
    if not _all_hold(query.get("conversationFilters"), lambda name: [details.get(name)]):
        return False
    return any(_all_hold(query.get("segmentFilters"), _values_in(levels)) for levels in _segments_with_owners(details))


def _values_in(levels: tuple[dict[str, Any], ...]) -> Callable[[str], list[Any]]:
    return lambda name: [level.get(name) for level in levels]


def _segments_with_owners(details: dict[str, Any]) -> list[tuple[dict[str, Any], ...]]:
    """Each segment with its session, participant and conversation; without segments, the conversation alone."""
    return [
        (segment, session, participant, details)
        for participant in details["participants"]
        for session in participant["sessions"]
        for segment in session["segments"]
    ] or [(details,)]


def _all_hold(filters: list[dict[str, Any]] | None, values: Callable[[str], list[Any]]) -> bool:
    return all(_clause_holds(one, values) for one in filters or ())


def _clause_holds(one: Mapping[str, Any], values: Callable[[str], list[Any]]) -> bool:
    found = [_predicate_holds(predicate, values) for predicate in one.get("predicates") or ()]
    found += [_clause_holds(clause, values) for clause in one.get("clauses") or ()]
    return any(found) if one.get("type") == "or" else all(found)


def _predicate_holds(predicate: _Predicate, values: Callable[[str], list[Any]]) -> bool:
    present = [value for value in values(str(predicate.get("dimension"))) if value is not None]
    match predicate.get("operator", "matches"):
        case "exists":
            return bool(present)
        case "notExists":
            return not present
        case _:
            return predicate.get("value") in present
