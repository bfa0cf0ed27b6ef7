"""Counts requests and measures how long their answers take, by route, method and class of the status.

Invariant: no label is taken from a request but the method, which is one of a few words: a route is what the application
declares, never the path that a caller sent.
"""

import time
from collections.abc import Callable

from flask import Flask, Response, g, request

from genesys_gateway.runtime import tracing
from genesys_gateway.runtime.metrics import Metrics, words

#: Names the series of a request: route and method.
_Key = tuple[str, str]


class _Series:
    """The series of one route and method, found once: to find them at each request would take longer than to count."""

    __slots__ = ("count", "took")

    def __init__(self, metrics: Metrics, key: _Key) -> None:
        route, method = key
        self.took: Callable[[float, dict[str, str] | None], None] = metrics.http_request_seconds.labels(
            route, method
        ).observe
        #: by the first digit of the status; what is not in it (1xx) is never the final answer
        self.count: dict[int, Callable[[], None]] = {
            int(status[0]): metrics.http_requests.labels(route, method, status).inc for status in words.STATUS_CLASSES
        }


class RequestMetrics:
    """The series of every route of an application, which exist before the first request.

    Args:
        app: Has all its routes already.
    """

    def __init__(self, app: Flask, metrics: Metrics) -> None:
        keys = {(words.NO_ROUTE, method) for method in words.METHODS}
        for rule in app.url_map.iter_rules():
            keys |= {(rule.rule, _method(method)) for method in rule.methods or ()}
        self._series = {key: _Series(metrics, key) for key in sorted(keys)}
        app.before_request_funcs.setdefault(None, []).insert(0, self._begin)
        app.after_request(self._end)

    def _begin(self) -> None:
        g.begun = time.perf_counter()

    def _end(self, response: Response) -> Response:
        rule = request.url_rule
        series = self._series[words.NO_ROUTE if rule is None else rule.rule, _method(request.method)]
        series.count[response.status_code // 100]()
        series.took(time.perf_counter() - g.begun, tracing.exemplar(tracing.current_trace_id()))
        return response


def _method(name: str) -> str:
    """HEAD counts as GET, which it is but for the body."""
    return "GET" if name == "HEAD" else name if name in words.METHODS else "other"
