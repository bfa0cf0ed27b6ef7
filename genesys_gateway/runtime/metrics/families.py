"""Makes metrics with all of their series, and remembers what each means.

Invariant: a metric is made together with every combination of the values of its labels, unless the application adds
the values of one of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.registry import Collector

#: Begins the name of every metric of ours.
PREFIX = "genesys_gateway_"

# By default each counter has a second series with the time of its creation, which would only double the scraped text.
disable_created_metrics()  # type: ignore[no-untyped-call] # the one function of prometheus_client without types


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What is known of one metric."""

    #: heading of the reference under which it stands
    section: str
    #: as it is scraped: with the prefix, and a counter with ``_total``
    name: str
    #: counter, gauge or histogram
    kind: str
    #: one or two sentences
    meaning: str
    #: values by label; empty if the application lists them
    labels: Mapping[str, tuple[str, ...]]
    #: upper limits of a histogram's buckets
    buckets: tuple[float, ...]


class Families:
    """Makes the metrics of one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        #: heading under which the next metrics stand in the reference
        self.section = ""
        #: what is known of each, in the order in which they were made
        self.made: list[Family] = []
        #: the metrics themselves, in the same order
        self.collectors: list[Collector] = []

    def counter(self, name: str, meaning: str, **labels: Sequence[str]) -> Counter:
        """Make a counter. Its name is given without ``_total``."""
        made = Counter(PREFIX + name, meaning, tuple(labels), registry=self._registry)
        self._complete(made, f"{name}_total", "counter", meaning, labels)
        return made

    def gauge(self, name: str, meaning: str, **labels: Sequence[str]) -> Gauge:
        """Make a gauge."""
        made = Gauge(PREFIX + name, meaning, tuple(labels), registry=self._registry)
        self._complete(made, name, "gauge", meaning, labels)
        return made

    def histogram(self, name: str, meaning: str, buckets: Sequence[float], **labels: Sequence[str]) -> Histogram:
        """Make a histogram."""
        made = Histogram(PREFIX + name, meaning, tuple(labels), buckets=buckets, registry=self._registry)
        self._complete(made, name, "histogram", meaning, labels, buckets)
        return made

    def _complete(
        self,
        made: Counter | Gauge | Histogram,
        name: str,
        kind: str,
        meaning: str,
        labels: Mapping[str, Sequence[str]],
        buckets: Sequence[float] = (),
    ) -> None:
        for values in product(*labels.values()) if labels else ():
            made.labels(*values)
        self.collectors.append(made)
        fixed = {label: tuple(values) for label, values in labels.items()}
        self.made.append(
            Family(
                section=self.section,
                name=PREFIX + name,
                kind=kind,
                meaning=meaning,
                labels=fixed,
                buckets=tuple(buckets),
            )
        )
