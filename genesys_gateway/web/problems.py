"""Answers every error, wherever it was raised, as ``application/problem+json`` (RFC 9457).

Invariant: an answer says what the caller can do, and reveals nothing internal: no trace, SQL, host name or value.
"""

import http
import math
from collections.abc import Mapping, Sequence
from functools import partial

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.errors import PairedAlready, Unavailable
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.web.auth import NotAllowed, NotAuthenticated, TooOften

CONTENT_TYPE = "application/problem+json"
#: For each wrong field, what is wrong with it.
FieldErrors = Mapping[str, Sequence[str]]

#: The text for the caller, by status. It is never the message of an error, which may contain internals.
DETAILS = {
    400: "The body is not JSON.",
    401: "A valid bearer token is needed.",
    403: "The role of this token does not allow it.",
    404: "There is nothing at this address.",
    405: "This address does not know the method; the header Allow names those it does.",
    408: "The body did not come in time.",
    409: "The interaction belongs to another customer, and a record of it was already sent or tried.",
    413: "The body is larger than 16 KiB.",
    415: "The body must be sent as application/json in UTF-8.",
    422: "Some fields are missing or wrong.",
    429: "This credential calls too often.",
    500: "An unexpected error; it has been logged.",
    503: "The gateway can't take this now; please repeat it.",
}
NEVER_REGISTERED = "The interaction was never registered."

log = get_logger(__name__)


class InvalidRequest(HTTPException):
    """A body, or an id in the path, does not match its schema.

    Args:
        errors: What is wrong, by field.
    """

    code = 422

    def __init__(self, errors: FieldErrors) -> None:
        super().__init__()
        self.errors = errors


class Explained(HTTPException):
    """The request can't be served, for a reason that the general text of its status does not tell.

    Args:
        code: The status.
        detail: A fixed text for the caller.
    """

    def __init__(self, code: int, detail: str) -> None:
        super().__init__()
        self.code = code
        self.detail = detail


class NeverRegistered(HTTPException):
    """The id is well-formed, but was never registered."""

    code = 404


def document(status: int, detail: str, errors: FieldErrors | None = None) -> bytes:
    """A problem as JSON."""
    problem = {"type": "about:blank", "title": http.HTTPStatus(status).phrase, "status": status, "detail": detail}
    return orjson.dumps(problem | ({"errors": errors} if errors is not None else {}))


def answer(
    status: int,
    detail: str | None = None,
    *,
    errors: FieldErrors | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem as a response; its detail is by default the one in :data:`DETAILS`."""
    body = document(status, detail or DETAILS[status], errors)
    return Response(body, status, headers, content_type=CONTENT_TYPE)


def install(app: Flask) -> None:
    """Register this module's error handlers with the app."""
    logger = SampledLog(log, SystemClock())
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(NotAuthenticated, lambda _: answer(401, headers={"WWW-Authenticate": "Bearer"}))
    app.register_error_handler(NotAllowed, lambda _: answer(403))
    app.register_error_handler(PairedAlready, lambda _: answer(409))
    app.register_error_handler(TooOften, lambda error: answer(429, headers=_retry_after(error)))
    app.register_error_handler(Unavailable, partial(_unavailable, logger))
    app.register_error_handler(Exception, partial(_unexpected, logger))


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if isinstance(error, InvalidRequest):
        return answer(status, errors=error.errors)
    if isinstance(error, NeverRegistered):
        return answer(status, NEVER_REGISTERED)
    if isinstance(error, Explained):
        return answer(status, error.detail)
    allowed = getattr(error, "valid_methods", None)
    headers = {"Allow": ", ".join(sorted(allowed))} if allowed else None
    return answer(status, DETAILS.get(status, "The request can't be served."), headers=headers)


def _unavailable(logger: SampledLog, error: Unavailable) -> Response:
    # The message goes only into the log: it may contain internals.
    logger.warning("request_unavailable", reason=str(error), error=type(error).__name__)
    return answer(503, headers=_retry_after(error))


def _unexpected(logger: SampledLog, _error: Exception) -> Response:
    logger.exception("request_failed", method=request.method, route=str(request.url_rule))
    return answer(500)


def _retry_after(error: Unavailable) -> Mapping[str, str]:
    return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
