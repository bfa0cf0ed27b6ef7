"""What the stories with several instances share: settings, the watch of what BOFE is shown, and the last claims."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

import gevent

from tests.harness import judge
from tests.harness.http import NoAnswer
from tests.harness.instances import Instance, Instances
from tests.harness.listening import Interval
from tests.harness.simulator import AgentSession
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

#: The default of GATEWAY_LEASE_SECONDS and GATEWAY_HEARTBEAT_SECONDS.
LEASE, HEARTBEAT = 20.0, 40.0
#: Timers of the small scale, which lasts some seconds.
_SMALL: Mapping[str, object] = {
    "GATEWAY_HTTP_TIMEOUT_SECONDS": 2,
    "GATEWAY_LEASE_SECONDS": 4,
    "GATEWAY_ANALYTICS_SETTLE_SECONDS": 10,
    "GATEWAY_RECONCILE_SECONDS": 10,
}
_LOOK_SECONDS = 0.05


def settings(stage: Stage) -> Mapping[str, object]:
    """Defaults, but at the small scale shorter timers."""
    return stage.scale.of({}, {}, _SMALL)


def lease(stage: Stage) -> float:
    """The lease of these settings."""
    return stage.scale.of(LEASE, LEASE, 4.0)


@dataclass(slots=True)
class Shown:
    """What an instance shows BOFE of some conversations, again and again."""

    #: conversation, and the moments at which the question was sent and answered, whenever the answer was `subscribed`
    subscribed: list[tuple[str, int, int]] = field(default_factory=list)
    looks: int = 0

    def untrue_seconds(self, unheard: Iterable[Interval]) -> float:
        """How long after the loss of its socket a conversation was still shown as `subscribed`, at the longest."""
        lost: dict[str, list[Interval]] = {}
        for interval in unheard:
            lost.setdefault(interval.conversation, []).append(interval)
        untrue = [
            asked - interval.begin
            for conversation, asked, answered in self.subscribed
            for interval in lost.get(conversation, ())
            if interval.begin < asked and answered < interval.end
        ]
        return max(untrue, default=0) / 1000


@contextmanager
def watching(instance: Instance, conversations: Sequence[str]) -> Iterator[Shown]:
    """Within the block, ask that instance about these conversations in turn."""
    shown = Shown()

    def look() -> None:
        for conversation in cycle(conversations):
            asked = round(time.time() * 1000)
            try:
                view = instance.gateway.view(conversation)
            except NoAnswer:
                view = None
            shown.looks += 1
            if view is not None and view["state"] == "subscribed":
                shown.subscribed.append((conversation, asked, round(time.time() * 1000)))
            gevent.sleep(_LOOK_SECONDS)

    looking = gevent.spawn(look)
    try:
        yield shown
    finally:
        looking.kill()


def claim_nothing_lost(stage: Stage, instances: Instances, seconds: float, most: int = 20) -> None:
    """Wait until every after-call work has its record, then claim that, and that at most so many sockets were open."""
    simulator, report = instances.simulator, stage.report
    took = wait_for(lambda: not simulator.balance()["lost"], seconds, every=0.5)
    report.claim("everything is recorded in the end", took is not None, f"{took or -1:.1f} s after the load")
    for instance in instances:
        instance.read_counters()
    doubted, recovered = (
        instances.counted(name) for name in ("deliveries_ambiguous_total", "reconcile_recovered_events_total")
    )
    report.note(f"records by source: {dict(judge.sources(simulator.ledger('records')))}; {recovered} recovered by REST")
    report.note(f"BOFE: {dict(instances.answers)}; repeated at another instance after {dict(instances.repeated)}")
    judge.nothing_lost_doubled_only_in_doubt(report, simulator, doubted)
    judge.one_socket_per_channel(report, simulator, most=most)


def claim_all_taken(stage: Stage, instances: Instances, sessions: Iterable[AgentSession]) -> None:
    """Claim that each registration that was taken is known to an instance."""
    missing = [one for one in sessions if instances[0].gateway.view(one.conversation) is None]
    stage.report.claim("every 2xx is on disk", not missing, f"{len(missing)} missing")
