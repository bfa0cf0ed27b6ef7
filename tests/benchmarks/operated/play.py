"""Plays the full load against the real service: without dashboards, with them, and without them again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gevent

from tests.benchmarks.motion.figures import Delays, Ledger, Window, delays, recordings, seconds_between
from tests.benchmarks.motion.play import start_bofe
from tests.benchmarks.motion.watch import processor_seconds
from tests.benchmarks.operated.figures import buckets, quantile_between
from tests.benchmarks.operated.watchers import Notes, operating, watching
from tests.harness import databases, judge
from tests.harness.gateway import Gateway
from tests.harness.report import Report
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

WITHOUT, WITH, AGAIN = "without", "with", "again without"

#: What each call of the API takes.
_CALL_SECONDS = 0.08
_TALK_SECONDS, _AFTER_CALL_WORK_SECONDS, _AGENTS = 60.0, 20.0, 200
#: How long a conversation in motion keeps its topic at most: it lasts, and then analytics have to prove its end.
_TOPIC_SECONDS = 390.0
#: How many conversations begin a second until all are followed.
_FILLED_PER_SECOND = 250.0
_FILL_MORE_SECONDS = 120.0
#: Time for the first works to be done; and for the last requests of dashboards to be answered.
_WARM_UP_SHARE, _PAUSE_SECONDS = 0.2, 3.0
_LAST_RECORDS_SECONDS = 60.0
_LAG = "genesys_gateway_hub_lag_probe_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is played."""

    #: conversations that are followed at the end
    followed: int
    per_minute: float
    dashboards: int
    #: time with dashboards open
    seconds: float
    #: ``sqlite`` or ``postgresql``
    database: str

    @property
    def warm_up(self) -> float:
        """Seconds from the first conversation in motion until it is measured."""
        return self.seconds * _WARM_UP_SHARE

    @property
    def talking(self) -> int:
        """Conversations that are in motion at any moment."""
        return round(self.per_minute * _TALK_SECONDS / 60)

    @property
    def lasting(self) -> int:
        """Conversations that do not end, so that with those in motion as many are followed as planned."""
        begun = self.per_minute / 60 * min(self.warm_up + self.seconds * 5 / 3, _TOPIC_SECONDS)
        return max(0, self.followed - self.talking - round(begun))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One stretch of the load, and what was noted in it."""

    name: str
    window: Window
    notes: Notes
    #: share of a core that the gateway's worker used
    processor: float
    #: share of the time in which the worker's main thread was ready and had to wait for a core
    waited: float
    #: 99 % of the event loop's delays by the gateway's own histogram; None if it has none
    hub_lag: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The load that was played."""

    phases: list[Phase]
    #: conversations followed, when the dashboards were opened and closed
    followed: tuple[int, int]
    #: from BOFE's request to its 2xx, by phase
    registrations: dict[str, Delays]
    #: from the end of after-call work to its record, by phase
    freshness: dict[str, Delays]


def play(plan: Plan, stage: Stage) -> Played | None:
    """Play it, and claim in the stage's report that nothing was lost; None if there is no such database."""
    settings: dict[str, object] = {}
    if plan.database == "postgresql":
        name = stage.database()
        if name is None:
            stage.report.skip("operated on PostgreSQL", "no PostgreSQL at 127.0.0.1:5432")
            return None
        settings["DATABASE_URL"] = databases.url(name)
    simulator = stage.simulator()
    simulator.fault("slow", path="/api/v2/*", delaySeconds=_CALL_SECONDS)
    gateway = stage.gateway(simulator, settings).start()
    bofe, url = start_bofe(stage.folder, gateway)
    try:
        _fill(plan, simulator, url, stage.report)
        phases, followed = _measure(plan, gateway, stage.report)
        simulator.control("DELETE", "/traffic", {"abandon": True})
        wait_for(lambda: simulator.balance()["clean"], _LAST_RECORDS_SECONDS, every=2.0)
    finally:
        bofe.kill()
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    return _played(simulator, phases, followed)


def _fill(plan: Plan, simulator: Simulator, notify: str, report: Report) -> None:
    """Let the lasting conversations begin and be subscribed; then the others begin to come and go."""
    traffic = {
        "perMinute": plan.per_minute,
        "talkSeconds": _TALK_SECONDS,
        "acwSeconds": _AFTER_CALL_WORK_SECONDS,
        "lasting": plan.lasting,
        "standing": plan.talking,
        "standingPerSecond": _FILLED_PER_SECOND,
        "agents": _AGENTS,
        "notify": notify,
    }
    simulator.control("POST", "/traffic", traffic)
    begun = plan.lasting + plan.talking
    longest = begun / _FILLED_PER_SECOND + _FILL_MORE_SECONDS
    took = wait_for(lambda: _covered(simulator) >= begun, longest, every=1.0)
    topics = _covered(simulator)
    within = f"after {took:.0f} s" if took is not None else "and no more in time"
    report.note(f"{topics:,} conversations are followed and covered {within}; {plan.per_minute:g} a minute come and go")
    gevent.sleep(plan.warm_up)


def _covered(simulator: Simulator) -> int:
    return int(simulator.state()["listenedTopics"])


def _measure(plan: Plan, gateway: Gateway, report: Report) -> tuple[list[Phase], tuple[int, int]]:
    phases: list[Phase] = []
    with _phase(WITHOUT, gateway, phases):
        gevent.sleep(plan.seconds / 3)
    first = _followed(gateway)
    notes = Notes()
    with _phase(WITH, gateway, phases, notes), operating(gateway, notes, plan.dashboards):
        report.note(f"{plan.dashboards} dashboards are open")
        gevent.sleep(plan.seconds)
    last = _followed(gateway)
    gevent.sleep(_PAUSE_SECONDS)
    with _phase(AGAIN, gateway, phases):
        gevent.sleep(plan.seconds / 3)
    return phases, (first, last)


@contextmanager
def _phase(name: str, gateway: Gateway, phases: list[Phase], notes: Notes | None = None) -> Iterator[None]:
    """Measure the block, and append it to the phases."""
    noted = notes or Notes()
    used, waited, begin = processor_seconds(gateway.worker), _waited_seconds(gateway.worker), time.time()
    with watching(gateway, noted):
        yield
    end = time.time()
    used, waited = processor_seconds(gateway.worker) - used, _waited_seconds(gateway.worker) - waited
    first, last = (buckets(text, _LAG) for text in (noted.scrapes[0], noted.scrapes[-1]))
    phases.append(
        Phase(
            name=name,
            window=Window(begin=round(begin * 1000), end=round(end * 1000)),
            notes=noted,
            processor=used / (end - begin),
            waited=waited / (end - begin),
            hub_lag=quantile_between(first, last, 0.99),
        )
    )


def _waited_seconds(pid: int) -> float:
    """How long the main thread of a process was ready and had to wait for a core, since its start."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


def _followed(gateway: Gateway) -> int:
    return round(sum(gateway.metric(f'conversations{{state="{state}"}}') for state in ("pending", "subscribed")))


def _played(simulator: Simulator, phases: list[Phase], followed: tuple[int, int]) -> Played:
    parts = {part: simulator.ledger(part) for part in ("conversations", "finished", "records")}
    ledger = Ledger(**parts, calls=())
    recorded = recordings(ledger.finished, ledger.records)
    registrations, freshness = {}, {}
    for phase in phases:
        told = [one for one in ledger.conversations if phase.window.holds(one["told"])]
        registrations[phase.name] = delays(seconds_between(one["told"], one["registered"]) for one in told)
        freshness[phase.name] = delays(one.seconds for one in recorded if phase.window.holds(one.at))
    return Played(phases=phases, followed=followed, registrations=registrations, freshness=freshness)
