"""The page of a scrape: its two formats, and what many scrapers at once cost."""

from collections.abc import Callable, Iterator
from typing import cast

import gevent
import pytest
from gevent.event import Event
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.registry import Collector

from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.runtime.metrics.exposition import Exposition, Scrape

read_openmetrics = cast("Callable[[str], Iterator[Metric]]", openmetrics_parser.text_string_to_metric_families)


class Held(Collector):
    """A metric whose value is the number of times that it was read; reading it takes until it is let go."""

    def __init__(self) -> None:
        self.reads = 0
        self.go_on = Event()

    def collect(self) -> Iterator[Metric]:
        self.reads += 1
        read = self.reads
        self.go_on.wait()
        yield GaugeMetricFamily("reads", "Number of reads.", value=read)


@pytest.mark.parametrize("accept", [None, "*/*", "text/plain;version=0.0.4", "text/html, application/json;q=0.3"])
def test_the_page_is_prometheus_text_unless_openmetrics_is_asked_for(accept: str | None) -> None:
    metrics = Metrics()

    page = metrics.scrape(accept)

    assert page.content_type == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name for family in read_text(page.body.decode())}
    assert {"genesys_gateway_conversations", "process_open_fds", "python_info"} <= families


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text",
        "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,*/*;q=0.1",
        "Application/OpenMetrics-Text; version=nonsense",
    ],
)
def test_openmetrics_is_whole_and_ends_with_its_mark(accept: str) -> None:
    metrics = Metrics()
    metrics.event_freshness_seconds.observe(0.2)

    page = metrics.scrape(accept)

    assert page.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert page.body.endswith(b"\n# EOF\n")
    assert page.body.count(b"# EOF") == 1
    as_text = {family.name for family in read_text(metrics.render().decode())}
    assert {family.name for family in read_openmetrics(page.body.decode())} == as_text


def test_a_page_shows_what_happened_before_it_was_asked_for_and_many_scrapers_share_one() -> None:
    held = Held()
    exposition = Exposition([held])
    first = gevent.spawn(exposition.scrape)
    gevent.sleep(0)
    others = [gevent.spawn(exposition.scrape) for _ in range(10)]
    gevent.sleep(0)

    held.go_on.set()
    gevent.joinall([first, *others], timeout=10, raise_error=True)

    assert b"reads 1.0" in body_of(first)
    assert {body_of(one) for one in others} == {body_of(first).replace(b"reads 1.0", b"reads 2.0")}
    assert held.reads == 2
    assert b"reads 3.0" in exposition.scrape().body


def test_a_scraper_that_is_killed_leaves_the_page_to_the_others() -> None:
    held = Held()
    exposition = Exposition([held])
    first = gevent.spawn(exposition.scrape)
    gevent.sleep(0)
    other = gevent.spawn(exposition.scrape)
    gevent.sleep(0)

    first.kill()
    held.go_on.set()
    other.join(10)

    assert b"reads 2.0" in body_of(other)


def body_of(scraper: "gevent.Greenlet[[], Scrape]") -> bytes:
    assert scraper.value is not None
    return scraper.value.body


def test_an_observation_leads_to_its_trace_in_openmetrics_only() -> None:
    metrics = Metrics()
    metrics.event_freshness_seconds.observe(0.2, {"trace_id": "0af7651916cd43dd8448eb211c80319c"})

    exemplar = b'_bucket{le="0.25"} 1.0 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 0.2 '
    assert exemplar in metrics.scrape("application/openmetrics-text").body
    assert b"trace_id" not in metrics.render()
