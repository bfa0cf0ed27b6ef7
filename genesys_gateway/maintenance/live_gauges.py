"""Connects the metrics that are read at the moment of a scrape with what they show.

Invariant: reading one neither waits nor changes anything, and takes microseconds: the page of a scrape reads them all.
"""

from collections.abc import Callable
from functools import partial

from genesys_gateway.delivery import Delivery
from genesys_gateway.delivery.circuit_breaker import State
from genesys_gateway.genesys.load import Load
from genesys_gateway.genesys.rate_limiter import Priority
from genesys_gateway.intake import EventSpool
from genesys_gateway.runtime.metrics import Metrics


def show_live(
    metrics: Metrics, *, load: Load, spool: EventSpool, delivery: Delivery, lease_left_seconds: Callable[[], float]
) -> None:
    """Let the metrics show the rate limiter, the spool, delivery and the lease from now on."""
    metrics.api_calls_left.set_function(load.calls_left)
    metrics.api_calls_limit.set_function(load.limit)
    for priority in Priority:
        metrics.api_calls_waiting.labels(priority.name.lower()).set_function(partial(load.waiting, priority))
    metrics.spool_frames.set_function(spool.frames)
    metrics.spool_changes.set_function(spool.changes)
    metrics.deliveries_in_flight.set_function(delivery.in_flight)
    breaker = delivery.breaker
    for state in State:
        metrics.delivery_state.labels(state.value).set_function(partial(lambda one: breaker.state is one, state))
    metrics.lease_left_seconds.set_function(lease_left_seconds)
