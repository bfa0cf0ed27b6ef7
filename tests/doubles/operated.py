"""A watch that shows what a test sets, a busy hour, and a service with everything that operators can see of one."""

import math
from dataclasses import replace

import gevent
from gevent.event import Event

from genesys_gateway.oversight.codes import WORDING, trouble
from genesys_gateway.oversight.finding import Finding
from genesys_gateway.oversight.hour import STEP_SECONDS, Hour
from genesys_gateway.oversight.status import ChannelStatus, InstanceStatus, Promise, Status, Trouble
from genesys_gateway.runtime.metrics import Metrics
from tests.doubles.runtime import FakeClock

#: 2026-11-22T02:13:05Z
NOW = 1_795_313_585_000
MINUTE = 60_000
_FIGURES = {"backlog": 1284, "followed": 4112, "accepted": 19_420, "closed": 15_308}


def a_trouble(code: str, *, minutes: float = 4) -> Trouble:
    """A trouble in the service's own words."""
    return trouble(Finding(code=code, since=round(NOW - minutes * MINUTE), facts={}), _FIGURES)  # type: ignore[arg-type]


def every_trouble() -> tuple[Trouble, ...]:
    """One of each code."""
    return tuple(a_trouble(code, minutes=40 - n) for n, code in enumerate(WORDING))


def a_status(*codes: str, unaccounted: int = 0) -> Status:
    """A service at night: two instances, five channels, and these troubles."""
    owners = ("7f3b9c1e-4a52-4c0e-9a11-6be1d0c7a201", "c2d40f77-18ab-4f6c-8a3e-55d1f2b9e902")
    topics = (1000, 1000, 983, 742, 387)
    return Status(
        at=NOW,
        looked_at=NOW,
        promise=Promise(accepted=19_420, followed=4112 - unaccounted, closed=15_308, unaccounted=unaccounted),
        backlog=1284 if "receiver_down" in codes else 6,
        dead=13 if "records_dead" in codes else 0,
        uncovered=57 if "uncovered" in codes else 0,
        released=138,
        troubles=tuple(a_trouble(code, minutes=4 + n) for n, code in enumerate(codes)),
        instances=(
            InstanceStatus(id=owners[0], state="running", lease_until=NOW + 14_000, channels=3, conversations=2983),
            InstanceStatus(id=owners[1], state="running", lease_until=NOW + 17_000, channels=2, conversations=1129),
        ),
        channels=tuple(
            ChannelStatus(
                id=f"streaming-{n}-{'b4f1c9d27e6a5038'[n:]}{'b4f1c9d27e6a5038'[:n]}",
                owner=owners[n // 3],
                state="waiting" if n == 3 and "uncovered" in codes else "open",
                topics=count,
                limit=1000,
                connected=not (n == 3 and "uncovered" in codes),
                expires_at=NOW + (19 - 3 * n) * 3_600_000,
                last_frame_at=NOW - 700 * (n + 1),
            )
            for n, count in enumerate(topics)
        ),
    )


class ShownWatch:
    """Shows :attr:`latest`; :meth:`show` is a further look."""

    def __init__(self, status: Status | None = None) -> None:
        self.latest = status or a_status()
        self.draining = False
        self._looked = Event()

    def status(self) -> Status:
        return self.latest

    def show(self, status: Status) -> None:
        """Look again, two seconds later."""
        self.latest = replace(status, at=self.latest.at + 2000, looked_at=self.latest.looked_at + 2000)
        self._looked.set()
        self._looked = Event()

    def wait(self, after: int, seconds: float) -> Status | None:
        looked = self._looked
        if self.latest.looked_at <= after:
            gevent.with_timeout(seconds, looked.wait, timeout_value=None)
        return self.latest if self.latest.looked_at > after else None


def a_busy_hour(metrics: Metrics, away_at: range = range(210, 246)) -> Hour:
    """An hour of a contact centre in which CommunicationHistory was away for some of the 360 steps."""
    clock = FakeClock(NOW - 60 * MINUTE)
    metrics.api_calls_left.set(300)
    hour = Hour(metrics, clock)
    backlog = 0.0
    for step in range(360):
        clock.advance(STEP_SECONDS)
        wave = 1 + 0.35 * math.sin(step / 40) + 0.18 * math.sin(step / 7.3) + 0.09 * math.sin(step * 1.7)
        away = step in away_at
        came, acws = round(5.2 * wave), round(4.9 * wave + math.sin(step / 3))
        metrics.conversations_accepted.inc(came)
        metrics.events_received.labels(source="live").inc(acws)
        for n in range(acws):
            metrics.event_freshness_seconds.observe(0.07 + 0.09 * wave * (1 + n % 5) + (2.4 if n == 0 and away else 0))
        sent = 0.0 if away else min(backlog + acws, 24.0)
        backlog += acws - sent
        metrics.deliveries.labels(outcome="delivered").inc(sent)
        metrics.deliveries.labels(outcome="failed").inc(3 if away else 0)
        metrics.delivery_backlog.set(backlog)
        metrics.api_calls_left.set(round(244 - 38 * wave - (60 if away else 0)))
        hour.sample()
    return hour
