"""Makes one counted call to Genesys, and turns the body of its answer into plain values or :class:`BadAnswer`.

Invariant: an answer that can't be read proves nothing. It never counts as an empty answer; the call is made again
later.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from marshmallow import Schema, ValidationError

from genesys_gateway.runtime import foreign_json
from genesys_gateway.runtime.clock import parse_iso
from genesys_gateway.runtime.errors import NotSent, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient, Reply
from genesys_gateway.runtime.metrics import Metrics

_NOT_JSON = "the answer is no JSON"


class BadAnswer(TransientFailure):
    """Genesys answered 2xx, but the body is not the expected answer.

    The text names fields, never their values, because answers hold personal data.
    """


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; may pause while it reads a large one.

    Raises:
        BadAnswer: The body is not JSON, or not an object.
    """
    try:
        return _object(foreign_json.read(body))
    except foreign_json.NotJson:
        raise BadAnswer(_NOT_JSON) from None


@contextmanager
def reading(body: bytes) -> Iterator[dict[str, Any]]:
    """Like :func:`read_object`, for an answer that may be large. Nothing of the object may be kept."""
    try:
        with foreign_json.reading(body) as value:
            yield _object(value)
    except foreign_json.NotJson:
        raise BadAnswer(_NOT_JSON) from None


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadAnswer("the answer is no JSON object")
    return value


def load(schema: Schema, value: Mapping[str, Any]) -> dict[str, Any]:
    """Load one object with its schema.

    Raises:
        BadAnswer: An identity, or a list that holds identities, is missing or wrong.
    """
    try:
        loaded: dict[str, Any] = schema.load(value)
    except ValidationError as error:
        wrong = ", ".join(sorted(map(str, error.messages_dict)))
        raise BadAnswer(f"the answer has no usable {wrong}") from None
    return loaded


def moment(text: str | None) -> int | None:
    """Epoch milliseconds of a date in an answer; None if it is missing or not a date."""
    if text is None:
        return None
    try:
        return parse_iso(text)
    except ValueError:
        return None


def lower(text: str | None) -> str | None:
    """An id as it is compared and stored; None if it is missing or empty."""
    return text.lower() if text else None


def upper(text: str | None) -> str | None:
    """An enum value as it is stored: upper case, as in notifications (REST uses lower case); None for ``UNKNOWN``."""
    value = text.upper() if text else None
    return None if value == "UNKNOWN" else value


def has_user(participant: Mapping[str, Any]) -> bool:
    """Whether this participant is an agent. A user id of a wrong type counts, and fails later when it is loaded."""
    return participant.get("userId") not in (None, "")


#: Value of the metric's label ``outcome`` by status, for the refusals that have one of their own.
_OUTCOMES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 408: "failed", 409: "failed", 429: "throttled"}


def counted_call(http: HttpClient, metrics: Metrics, operation: str, method: str, path: str, **parts: Any) -> Reply:
    """Make one call with :meth:`HttpClient.call`, count and time it, and raise what that method raises.

    Args:
        operation: The call's name in ``genesys_requests_total``; a fixed word, so that the metric stays small.
        parts: The keyword arguments of :meth:`HttpClient.call`.
    """
    begun = time.perf_counter()
    try:
        reply = http.call(method, path, **parts)
    except TransientFailure as error:
        _count(metrics, operation, "not_sent" if isinstance(error, NotSent) else "no_reply")
        raise
    finally:
        metrics.genesys_request_seconds.labels(operation).observe(time.perf_counter() - begun)
    _count(metrics, operation, _outcome(reply.status))
    return reply


def transient(status: int) -> bool:
    """Whether the same call may succeed later. Genesys docs: 408, 409, 429 and 5xx may be retried."""
    return status in (408, 409, 429) or status >= 500


def _outcome(status: int) -> str:
    if 200 <= status < 300:
        return "ok"
    return _OUTCOMES.get(status, "failed" if status >= 500 else "refused")


def _count(metrics: Metrics, operation: str, outcome: str) -> None:
    metrics.genesys_requests.labels(operation=operation, outcome=outcome).inc()
