"""Two instances, 100 events a second; kill -9 of one, in turn: its conversations are covered again, none is lost."""

from gevent import sleep

from tests.acceptance import several
from tests.harness import listening
from tests.harness.instances import Instances, on_one_database
from tests.harness.load import registering, talking
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 2400
#: Conversations that BOFE looks at after a kill.
_LOOKED_AT = 20
#: Until all that one instance has of the other is renewed, before the next kill.
_REST_SECONDS = 3.0


def play(stage: Stage) -> None:
    """Every second time the killed instance stays away until its conversations are covered; else it starts at once."""
    simulator = stage.simulator(stage.scale.of({}, {}, {"analyticsLagSeconds": 1}))
    simulator.set_receiver("ok", deduplicate=False)
    instances = on_one_database(stage, simulator, 2, several.settings(stage))
    if instances is None:
        return
    instances.start()
    sessions = simulator.start_many(stage.scale.of(full=2000, fast=2000, small=60))
    instances.register_all(sessions)
    simulator.until_covered(sessions)
    rounds = _Rounds(stage, simulator, instances, sessions)
    per_second = stage.scale.of(full=100.0, fast=100.0, small=20.0)
    with talking(simulator, sessions, per_second), registering(instances, 1.0) as taken:
        sleep(stage.scale.of(full=10.0, fast=5.0, small=1.0))
        for number in range(stage.scale.of(full=20, fast=3, small=2)):
            rounds.play(number)
    rounds.claim()
    simulator.finish_all(taken)
    several.claim_nothing_lost(stage, instances, 420)
    several.claim_all_taken(stage, instances, [*sessions, *taken])


class _Rounds:
    def __init__(self, stage: Stage, simulator: Simulator, instances: Instances, sessions: list[AgentSession]) -> None:
        self._stage, self._simulator, self._instances, self._sessions = stage, simulator, instances, sessions
        self._bound = several.lease(stage) + several.HEARTBEAT + 10
        self._away: list[listening.Interval] = []
        self._restarted: list[listening.Interval] = []
        self._uncovered = 0
        self._untrue: list[float] = []

    def play(self, number: int) -> None:
        """Kill one, and wait until all is covered again."""
        simulator, victim = self._simulator, self._instances[number]
        before, at_once = simulator.covered(), number % 2 == 1
        killed = victim.kill()
        if at_once:
            victim.gateway.launch()
        wait_for(lambda: before - simulator.covered(), 5.0)  # until Genesys has seen that the sockets are closed
        sample = sorted(before - simulator.covered())[:_LOOKED_AT]
        with several.watching(self._instances[number + 1], sample) as shown:
            took = wait_for(lambda: before <= simulator.covered(), self._bound + 10, every=0.25)
        gaps = listening.unheard(simulator, self._sessions, since=killed - 100)
        (self._restarted if at_once else self._away).extend(gaps)
        self._uncovered += took is None
        self._untrue.append(shown.untrue_seconds(gaps))
        kind = "restarted at once" if at_once else "away"
        untrue = f"`subscribed` was untrue for {self._untrue[-1]:.2f} s ({shown.looks} looks)"
        self._stage.report.note(f"kill {number + 1}, {kind}: {len(gaps)} uncovered, {listening.spread(gaps)}; {untrue}")
        if not at_once:
            victim.gateway.launch()
        victim.gateway.until_ready()
        sleep(_REST_SECONDS)

    def claim(self) -> None:
        """Claim what holds for all rounds together."""
        report, everything = self._stage.report, [*self._away, *self._restarted]
        held = not self._uncovered and bool(everything) and listening.longest(everything) <= self._bound
        for kind, gaps in (("stays away", self._away), ("starts at once", self._restarted)):
            report.note(f"the killed one {kind}: {listening.spread(gaps)}")
        text = f"covered again within lease + heartbeat + 10 s ({self._bound:.0f} s)"
        report.claim(text, held, listening.spread(everything))
        doubt = several.lease(self._stage) * 2 / 3
        text = f"`subscribed` is untrue for less than two thirds of a lease ({doubt:.1f} s)"
        report.claim(text, max(self._untrue) < doubt, f"{max(self._untrue):.2f} s at the longest")
