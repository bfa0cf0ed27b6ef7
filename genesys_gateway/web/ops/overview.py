"""The overview of the service in sections of HTML, rendered once for all who look at it.

Invariant: no database is asked: a section is made of the status and the last hour in memory. One rendering is made at
a time, with pauses in which other greenlets run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gevent.lock import BoundedSemaphore

from genesys_gateway.oversight.hour import Hour, Point
from genesys_gateway.oversight.status import Status
from genesys_gateway.runtime.greenlets import paced, pause
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
        self._charts: tuple[int, str] = (-1, "")  # the section of the hour, and after which sample it was made
        self._rendering = BoundedSemaphore()

    def of(self, status: Status) -> Rendering:
        """The sections of a status, or of a later one if there are those already."""
        with self._rendering:  # who waited here finds what the one before has made
            if self._latest is None or self._latest.at < status.looked_at:
                self._latest = self._render(status, self._latest)
            return self._latest

    def _render(self, status: Status, latest: Rendering | None) -> Rendering:
        html = {name: self._rendered(name, status) for name in SECTIONS}
        changed = {
            name: status.looked_at if latest is None or latest.html[name] != html[name] else latest.changed[name]
            for name in SECTIONS
        }
        return Rendering(at=status.looked_at, troubles=len(status.troubles), html=html, changed=changed)

    def _rendered(self, name: str, status: Status) -> str:
        if name == "hour":
            return self._rendered_hour(status)
        return _written(
            name,
            status=status,
            now=status.looked_at,
            budget=self._budget,
            calls=self._calls,
            calls_left=self._hour.calls_left,
            runbook=runbook().entries,
        )

    def _rendered_hour(self, status: Status) -> str:
        taken = self._hour.taken
        if self._charts[0] != taken:
            charts = charts_of(self._hour.points(), self._calls)
            self._charts = (taken, _written("hour", charts=charts, now=status.looked_at))
        return self._charts[1]


def _written(section: str, **values: object) -> str:
    return "".join(paced(TEMPLATES.get_template(f"overview/{section}.html").generate(values)))


def charts_of(points: tuple[Point, ...], calls: float) -> tuple[Chart, ...]:
    """The charts of the last hour.

    Args:
        calls: How many calls to Genesys there may be in a minute.
    """
    moments = [(one.at, points[-1].moment - one.moment) for one in points]

    def series(name: str, field: str) -> Series:
        return Series(name=name, values=[getattr(one, field) for one in points])

    def counts(key: str, title: str, unit: str, *lines: Series, top: float | None = None) -> Chart:
        pause()
        return chart(key, title, unit, moments=moments, series=lines, words=words.count, top=top)

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
        counts("calls", "Calls to Genesys left", "calls", series("Calls", "calls_left"), top=calls),
    )
