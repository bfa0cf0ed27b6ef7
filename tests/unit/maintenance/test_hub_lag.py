"""The lag of the event loop is what a sleep takes too long."""

import time

from genesys_gateway.maintenance.hub_lag import HubLag
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.metrics import Metrics
from tests.doubles.runtime import until


def test_a_blocked_event_loop_is_seen_in_the_gauge_and_in_the_histogram() -> None:
    metrics = Metrics()
    tasks = TaskGroup("test", lambda name, error: None)
    tasks.spawn("hub-lag", HubLag(metrics, 0.2).run, tasks)
    until(lambda: value(metrics, "hub_lag_probe_seconds_count") > 0)

    busy(0.3)

    until(lambda: value(metrics, "hub_lag_seconds") >= 0.2)
    counted = value(metrics, "hub_lag_probe_seconds_count")
    assert counted - value(metrics, "hub_lag_probe_seconds_bucket", le="0.1") >= 1
    assert tasks.stop(5.0) == []


def busy(seconds: float) -> None:
    """Hold the hub."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"genesys_gateway_{name}", labels) or 0.0
