"""One HTTP call to Genesys Cloud, counted by how it ended; the login host and the API alike.

Law: the labels come from the fixed words here and in the callers, so no answer can make the metric grow.
"""

from typing import Any

from genesys_gateway.runtime.errors import Delayed, NotSent
from genesys_gateway.runtime.http_client import Outbound, Reply
from genesys_gateway.runtime.metrics import Metrics

_OUTCOMES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 408: "failed", 409: "failed", 429: "throttled"}


def ask(outbound: Outbound, metrics: Metrics, operation: str, method: str, path: str, **parts: Any) -> Reply:
    """Make one call as :meth:`Outbound.call` does, which also says what it raises.

    Args:
        operation: Its name in ``genesys_requests_total``; a fixed word of the caller.
        parts: The keyword arguments of :meth:`Outbound.call`.
    """
    try:
        reply = outbound.call(method, path, **parts)
    except Delayed as error:
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
