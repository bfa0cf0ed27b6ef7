"""Makes the page of a scrape, in the Prometheus text format or as OpenMetrics.

Invariant: the page shows everything that happened before it was asked for. It is made in turns of 2 ms, between which
other greenlets run. Scrapers that come while a page is being made share the next one, so ten at once cost two pages.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from gevent.event import Event
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from genesys_gateway.runtime.greenlets import let_others_run

_END = b"# EOF\n"
_as_openmetrics = cast("Callable[[Collector], bytes]", openmetrics.generate_latest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """One page."""

    body: bytes
    content_type: str


class _Collected(Collector):
    """One metric that was collected already, as its encoder wants it."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


class _Page:
    """The page in one format, made for all scrapers that wait for it."""

    def __init__(
        self, collectors: Sequence[Collector], encode: Callable[[Collector], bytes], content_type: str
    ) -> None:
        self._collectors = collectors
        self._encode = encode
        self._content_type = content_type
        self._begun = 0
        self._making = False
        self._made = Event()
        #: the latest page, and the number of its beginning
        self._latest: tuple[int, Scrape] | None = None

    def get(self) -> Scrape:
        """A page whose making began after this call. It takes at most as long as two pages."""
        begun_before = self._begun
        while self._latest is None or self._latest[0] <= begun_before:
            if self._making:
                self._made.wait()
            else:
                self._make()
        return self._latest[1]

    def _make(self) -> None:
        self._making = True
        self._made.clear()
        self._begun += 1
        number = self._begun
        try:
            body = b"".join(self._parts())
            self._latest = number, Scrape(body=body, content_type=self._content_type)
        finally:
            self._making = False
            self._made.set()

    def _parts(self) -> Iterator[bytes]:
        for collector in self._collectors:
            for metric in collector.collect():
                let_others_run()
                yield self._encode(_Collected(metric))
        yield self._end

    @property
    def _end(self) -> bytes:
        return _END if "openmetrics" in self._content_type else b""


class Exposition:
    """The page in each format.

    Args:
        collectors: What is shown, in this order.
    """

    def __init__(self, collectors: Sequence[Collector]) -> None:
        self._text = _Page(collectors, generate_latest, "text/plain; version=0.0.4; charset=utf-8")
        self._openmetrics = _Page(
            collectors,
            lambda collector: _as_openmetrics(collector).removesuffix(_END),
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )

    def scrape(self, accept: str | None = None) -> Scrape:
        """The page of this moment.

        Args:
            accept: The header ``Accept``: OpenMetrics if it names that, else the Prometheus text format.
        """
        wanted = [part.partition(";")[0].strip().lower() for part in (accept or "").split(",")]
        page = self._openmetrics if "application/openmetrics-text" in wanted else self._text
        return page.get()
