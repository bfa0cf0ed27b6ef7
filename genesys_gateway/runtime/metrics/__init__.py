"""Every metric of the service, and the page that a scraper reads.

Invariant: a label takes its values from a short fixed list, never an id or anything a caller can choose. Every series
exists from the start: if it first appeared with the value 1, no alarm would see that increase. Only ``route`` takes its
values from the application, which lists its routes before it serves.

The files, in reading order:

    service_metrics   Metrics: every metric, under the name that alarms use
    words             the values of the labels
    families          makes metrics with all their series, and remembers what they mean
    exposition        the page of a scrape, made in short turns, in one of two formats
    reference         writes docs/metrics.md from the code
"""

from genesys_gateway.runtime.metrics.service_metrics import Metrics

__all__ = ["Metrics"]
