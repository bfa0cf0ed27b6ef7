"""Quantiles of what was measured from outside, and of a histogram among the metrics.

Invariant: pure. An answer other than the expected one counts as failed, never as quick.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

#: The share of all values of which "99 %" speaks.
_MOST = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One request: what was asked for, how long the whole answer took, and whether it was the expected one."""

    what: str
    seconds: float
    good: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long one kind of request took, in seconds."""

    what: str
    count: int
    failed: int
    median: float
    p99: float
    most: float


def latency(what: str, samples: Iterable[Sample]) -> Latency:
    """The latency of all samples together; zeros if there are none."""
    chosen = list(samples)
    ascending = sorted(sample.seconds for sample in chosen)
    return Latency(
        what=what,
        count=len(chosen),
        failed=sum(not sample.good for sample in chosen),
        median=quantile(ascending, 0.5),
        p99=quantile(ascending, _MOST),
        most=ascending[-1] if ascending else 0.0,
    )


def latencies(samples: Iterable[Sample]) -> list[Latency]:
    """The latency of each kind of request, in the order of their names."""
    kinds: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        kinds[sample.what].append(sample)
    return [latency(what, kinds[what]) for what in sorted(kinds)]


def quantile(ascending: Sequence[float], part: float) -> float:
    """The quantile of ascending values; 0 if there are none."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * part))] if ascending else 0.0


def buckets(metrics: str, name: str) -> dict[float, float]:
    """The cumulative buckets of a histogram without labels in Prometheus's text: upper bound -> count."""
    found = re.findall(rf'^{re.escape(name)}_bucket\{{le="([^"]+)"\}} (\S+)', metrics, re.MULTILINE)
    return {inf if bound == "+Inf" else float(bound): float(count) for bound, count in found}


def quantile_between(before: dict[float, float], after: dict[float, float], part: float) -> float | None:
    """A bound below which this share of the values lies that a histogram took between two readings.

    Returns:
        The upper bound of the bucket that holds the quantile, so never less than the true one; None without values.
    """
    counts = {bound: after[bound] - before.get(bound, 0.0) for bound in sorted(after)}
    total = max(counts.values(), default=0.0)
    if total <= 0:
        return None
    return next(bound for bound, count in counts.items() if count >= total * part)
