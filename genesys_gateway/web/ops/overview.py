"""The overview of the service in sections of HTML, rendered once for all who look at it.

Invariant: no database is asked and nothing waits: a section is made of the status and the last hour in memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from genesys_gateway.oversight.hour import Hour, Point
from genesys_gateway.oversight.status import Status
from genesys_gateway.settings import Settings
from genesys_gateway.web.ops import words
from genesys_gateway.web.ops.charts import Chart, Series, chart
from genesys_gateway.web.ops.runbook import runbook
from genesys_gateway.web.ops.templating import TEMPLATES

#: The sections in the order in which they are read; each has a template of its name.
SECTIONS = ("promise", "troubles", "figures", "hour", "channels", "instances")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """All sections at one moment."""

    #: when the status was put together, in epoch milliseconds
    at: int
    #: number of troubles
    troubles: int
    #: HTML by section
    html: Mapping[str, str]
    #: for each section, when its HTML last changed
    changed: Mapping[str, int]
    #: the events already made of it, by the moment that their receivers had seen
    made: dict[int, bytes] = field(default_factory=dict)

    def since(self, seen: int) -> dict[str, str]:
        """The sections that changed after ``seen``."""
        return {name: self.html[name] for name in SECTIONS if self.changed[name] > seen}


class Overview:
    """Renders the overview, each status once.

    Args:
        hour: The last hour of this instance.
    """

    def __init__(self, settings: Settings, hour: Hour) -> None:
        self._budget = settings.channel_budget
        self._calls = settings.api_rate_per_minute
        self._hour = hour
        self._latest: Rendering | None = None
        self._charts: tuple[int, tuple[Chart, ...]] = (-1, ())

    def of(self, status: Status) -> Rendering:
        """The sections of a status."""
        latest = self._latest
        if latest is not None and latest.at == status.looked_at:
            return latest
        html = {name: self._rendered(name, status) for name in SECTIONS}
        changed = {
            name: status.looked_at if latest is None or latest.html[name] != html[name] else latest.changed[name]
            for name in SECTIONS
        }
        self._latest = Rendering(at=status.looked_at, troubles=len(status.troubles), html=html, changed=changed)
        return self._latest

    def _rendered(self, name: str, status: Status) -> str:
        template = TEMPLATES.get_template(f"overview/{name}.html")
        return template.render(
            status=status,
            now=status.looked_at,
            charts=self._hour_charts(),
            budget=self._budget,
            calls=self._calls,
            point=self._hour.latest(),
            runbook=runbook().entries,
        )

    def _hour_charts(self) -> tuple[Chart, ...]:
        if self._charts[0] != self._hour.taken:
            self._charts = (self._hour.taken, charts_of(self._hour.points()))
        return self._charts[1]


def charts_of(points: tuple[Point, ...]) -> tuple[Chart, ...]:
    """The charts of the last hour."""
    moments = [(one.at, one.age) for one in points]

    def series(name: str, field: str) -> Series:
        return Series(name=name, values=[getattr(one, field) for one in points])

    def counts(key: str, title: str, unit: str, *lines: Series) -> Chart:
        return chart(key, title, unit, moments=moments, series=lines, words=words.count)

    return (
        counts("registrations", "Registrations", "a minute", series("Accepted", "registrations")),
        counts("events", "After-call work", "a minute", series("Events", "events")),
        counts(
            "deliveries",
            "Deliveries",
            "a minute",
            series("Delivered", "delivered"),
            series("Failed attempts", "failed"),
        ),
        counts("backlog", "Waiting to be delivered", "records", series("Records", "backlog")),
        chart(
            "freshness",
            "From wrap-up to disk",
            "events of five minutes",
            moments=moments,
            series=(series("Half within", "fresh_half"), series("99 % within", "fresh_most")),
            words=words.seconds,
            durations=True,
        ),
        counts("calls", "Calls to Genesys left", "calls", series("Calls", "calls_left")),
    )
