"""What this instance did in the last hour, as points for charts: counts of a minute, levels, and how fresh events were.

Invariant: bounded at any load: one sample every ten seconds, and none older than the hour and its first window.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from prometheus_client import Counter, Gauge, Histogram

from genesys_gateway.runtime.clock import HOUR_SECONDS, Clock
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.metrics import Metrics

#: Seconds between two samples.
STEP_SECONDS = 10.0
#: Number of samples between the ends of a minute, over which a point counts.
_MINUTE = 6
#: Number of samples between the ends of five minutes, over which a point tells how fresh events were: a single minute
#: may have had no event.
_FIVE_MINUTES = 30
_IN_AN_HOUR = round(HOUR_SECONDS / STEP_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One moment of the last hour."""

    #: epoch milliseconds
    at: int
    #: the same in monotonic seconds, from which its age follows
    moment: float
    #: numbers within the minute before it
    registrations: float
    events: float
    delivered: float
    #: attempts to deliver that failed
    failed: float
    #: records waiting to be delivered
    backlog: float
    #: calls to Genesys that may start now
    calls_left: float
    #: seconds from the wrap-up to the disk, of half and of 99 % of the events of five minutes; None without an event
    fresh_half: float | None
    fresh_most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    at: int
    moment: float
    #: numbers since the start of the process
    counted: tuple[float, float, float, float]
    backlog: float
    calls_left: float
    #: number of events at most as old as each bound, since the start
    freshness: tuple[float, ...]


class Hour:
    """Keeps the samples of one instance.

    Args:
        metrics: The metrics to read, which other parts keep.
        clock: Its monotonic time says how old a sample is, its wall time is shown.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._bounds: tuple[float, ...] = ()
        self._samples: deque[_Sample] = deque(maxlen=_FIVE_MINUTES + 1)
        self._points: deque[Point] = deque(maxlen=_IN_AN_HOUR + 1)
        #: number of samples taken since the start; while it is the same, :meth:`points` returns the same
        self.taken = 0
        self.sample()

    def run(self, tasks: TaskGroup) -> None:
        """Begin anew, now that every metric has its value, and take a sample every ten seconds until the end."""
        self._samples.clear()
        self._points.clear()
        self.sample()
        while not tasks.wait(STEP_SECONDS):
            self.sample()

    def sample(self) -> None:
        """Take a sample now."""
        metrics = self._metrics
        self._bounds, freshness = _buckets(metrics.event_freshness_seconds)
        outcomes = _by_label(metrics.deliveries, "outcome")
        counted = (
            _sum(metrics.conversations_accepted),
            _sum(metrics.events_received),
            outcomes.get("delivered", 0.0),
            outcomes.get("failed", 0.0),
        )
        self._samples.append(
            _Sample(
                at=self._clock.now(),
                moment=self._clock.monotonic(),
                counted=counted,
                backlog=_sum(metrics.delivery_backlog),
                calls_left=_sum(metrics.api_calls_left),
                freshness=freshness,
            )
        )
        self._points.append(self._point())
        self.taken += 1

    def calls_left(self) -> float:
        """Number of calls to Genesys that are left now, without waiting for the next sample."""
        return _sum(self._metrics.api_calls_left)

    def points(self) -> tuple[Point, ...]:
        """The points of the last hour, the oldest first; the last one is the latest sample."""
        last = self._points[-1].moment
        return tuple(one for one in self._points if last - one.moment <= HOUR_SECONDS)

    def _point(self) -> Point:
        """The point of the latest sample. It is computed once: the hour is drawn again and again."""
        samples = self._samples
        index, sample = len(samples) - 1, samples[-1]
        before = samples[max(0, index - _MINUTE)].counted
        registrations, events, delivered, failed = (
            now - then for now, then in zip(sample.counted, before, strict=True)
        )
        earlier = samples[max(0, index - _FIVE_MINUTES)].freshness
        counts = [now - then for now, then in zip(sample.freshness, earlier, strict=True)]
        return Point(
            at=sample.at,
            moment=sample.moment,
            registrations=registrations,
            events=events,
            delivered=delivered,
            failed=failed,
            backlog=sample.backlog,
            calls_left=sample.calls_left,
            fresh_half=quantile(self._bounds, counts, 0.5),
            fresh_most=quantile(self._bounds, counts, 0.99),
        )


def quantile(bounds: Sequence[float], counts: Sequence[float], share: float) -> float | None:
    """The value below which that share of the observations lies, evenly spread within their bucket; None without any.

    Args:
        bounds: Upper bounds of the buckets, the last one infinite.
        counts: For each bucket, the number of observations up to its bound.
        share: Between 0 and 1.
    """
    if not counts or not counts[-1]:
        return None
    rank = share * counts[-1]
    for (low, below), (high, upto) in pairwise([(0.0, 0.0), *zip(bounds, counts, strict=True)]):
        if upto >= rank and upto > below:
            # Nothing is known of the bucket without an end but its beginning.
            return low if high == float("inf") else low + (high - low) * (rank - below) / (upto - below)
    return bounds[-2]


def _sum(metric: Counter | Gauge) -> float:
    """The sum over all labels."""
    return sum(
        sample.value for family in metric.collect() for sample in family.samples if not sample.name.endswith("_created")
    )


def _by_label(metric: Counter, label: str) -> dict[str, float]:
    return {sample.labels[label]: sample.value for family in metric.collect() for sample in family.samples}


def _buckets(metric: Histogram) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The upper bound of each bucket, and the number of observations up to it."""
    found = [
        (float(sample.labels["le"]), sample.value)
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith("_bucket")
    ]
    return tuple(bound for bound, _ in found), tuple(count for _, count in found)
