"""Measures how late the gevent event loop wakes greenlets.

Invariant: it measures from the start of the process to its end, even if the database does not answer.
"""

import time

from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.metrics import Metrics

#: Seconds between two probes: each costs 30 µs, and a block of 5 ms is met by one in ten of them.
_STEP = 0.05


class HubLag:
    """Sleeps again and again, and notes by how much each sleep was too long.

    Args:
        period_seconds: The gauge shows the longest delay of one period.
    """

    def __init__(self, metrics: Metrics, period_seconds: float) -> None:
        self._metrics = metrics
        self._period = period_seconds

    def run(self, tasks: TaskGroup) -> None:
        """Measure until the task group stops."""
        while not tasks.stopping:
            self._metrics.hub_lag_seconds.set(self._worst(tasks))

    def _worst(self, tasks: TaskGroup) -> float:
        """Probe for one period; return the longest delay in it (seconds)."""
        worst = 0.0
        step = min(_STEP, self._period)
        for _ in range(max(1, round(self._period / step))):
            begun = time.monotonic()
            if tasks.wait(step):
                break
            lag = max(0.0, time.monotonic() - begun - step)
            self._metrics.hub_lag_probe_seconds.observe(lag)
            worst = max(worst, lag)
        return worst
