"""The body of a Genesys REST answer becomes plain values, or :class:`BadAnswer`.

Law: an answer that can't be read proves nothing. It is asked for again, and never taken for an empty one.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from marshmallow import Schema, ValidationError

from genesys_gateway.runtime.clock import parse_iso
from genesys_gateway.runtime.errors import NotSent, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient, Reply
from genesys_gateway.runtime.metrics import Metrics


class BadAnswer(TransientFailure):
    """Genesys answered 2xx with something that is no such answer.

    Its text names fields, never their values: answers hold personal data.
    """


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        BadAnswer: It is no JSON, or no object.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:  # also for bad UTF-8 and nesting beyond 1,024 levels
        raise BadAnswer("the answer is no JSON") from None
    if not isinstance(value, dict):
        raise BadAnswer("the answer is no JSON object")
    return value


def load(schema: Schema, value: Mapping[str, Any]) -> dict[str, Any]:
    """One object by its schema.

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
    """Epoch milliseconds of one of Genesys's dates; None when there is none, or it is none."""
    if text is None:
        return None
    try:
        return parse_iso(text)
    except ValueError:
        return None


def lower(text: str | None) -> str | None:
    """How ids are compared and stored."""
    return text.lower() if text else None


def upper(text: str | None) -> str | None:
    """How enums are stored: notifications spell them so, REST in lower case."""
    return text.upper() if text else None


def has_user(participant: Mapping[str, Any]) -> bool:
    """Whether this is an agent; a user id of a wrong type is one too, and fails where it is loaded."""
    return participant.get("userId") not in (None, "")


_OUTCOMES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 408: "failed", 409: "failed", 429: "throttled"}


def ask(http: HttpClient, metrics: Metrics, operation: str, method: str, path: str, **parts: Any) -> Reply:
    """Make one call as :meth:`HttpClient.call` does, which also says what it raises.

    Args:
        operation: Its name in ``genesys_requests_total``; a fixed word of the caller.
        parts: The keyword arguments of :meth:`HttpClient.call`.
    """
    try:
        reply = http.call(method, path, **parts)
    except TransientFailure as error:
        _count(metrics, operation, "not_sent" if isinstance(error, NotSent) else "no_reply")
        raise
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
