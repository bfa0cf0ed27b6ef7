"""Makes a span of each request that registers or reports something, if tracing is on.

Invariant: while tracing is off, no hook is installed, so no request pays for it.
"""

from contextlib import ExitStack

from flask import Flask, Response, g, request

from genesys_gateway.runtime import tracing

#: Key in the environment of a request for the id of its trace.
TRACE_ID = "genesys_gateway.trace_id"

_ENDPOINTS = frozenset({"customers.register", "customers.take_result"})


def install(app: Flask) -> None:
    """Have this app's requests traced from the moment at which tracing is on."""
    app.before_request(_begin)
    app.after_request(_note)
    app.teardown_request(_end)


def _begin() -> None:
    tracer = tracing.active()
    if tracer is not None and request.endpoint in _ENDPOINTS:
        name = f"{request.method} {request.url_rule}"
        g.open_request = ExitStack()
        g.request_span = g.open_request.enter_context(tracer.request(name, request.headers.get("traceparent")))
        request.environ[TRACE_ID] = tracer.current_trace_id()


def _note(response: Response) -> Response:
    if (span := g.get("request_span")) is not None:
        status = response.status_code
        span.conclude(str(status), str(status) if status >= 500 else None)
    return response


def _end(_error: BaseException | None) -> None:
    if (opened := g.pop("open_request", None)) is not None:
        opened.close()
