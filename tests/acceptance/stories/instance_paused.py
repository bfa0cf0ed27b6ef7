"""SIGSTOP of one of two instances for twice the lease, then SIGCONT: no write of it counts until it enters anew."""

from gevent import sleep

from tests.acceptance import several
from tests.harness import databases, listening
from tests.harness.commits import Commits, roles
from tests.harness.instances import Instances
from tests.harness.load import registering, talking
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 1500
#: Time after which the reawakened instance has closed its sockets and entered anew.
_AWAKE_SECONDS = 10.0


def play(stage: Stage) -> None:
    """Each instance is a role of its own in PostgreSQL, so that its commits can be told from the other's."""
    simulator = stage.simulator(stage.scale.of({}, {}, {"analyticsLagSeconds": 1}))
    simulator.set_receiver("ok", deduplicate=False)
    if not databases.reachable():
        stage.report.skip("several instances on PostgreSQL", "no PostgreSQL at 127.0.0.1:5432")
        return
    names = stage.entering(roles(2))
    database = stage.database()
    assert database is not None
    urls = [databases.url(database, role=name) for name in names]
    instances = Instances(stage, simulator, urls, several.settings(stage)).start()
    sessions = simulator.start_many(stage.scale.of(full=500, fast=500, small=60))
    instances.register_all(sessions)
    simulator.until_covered(sessions)
    rounds = _Rounds(stage, simulator, instances, names, Commits(database), sessions)
    per_second = stage.scale.of(full=50.0, fast=50.0, small=20.0)
    with talking(simulator, sessions, per_second), registering(instances, 1.0) as taken:
        for number in range(stage.scale.of(full=10, fast=2, small=1)):
            rounds.play(number)
    rounds.claim()
    simulator.finish_all(taken)
    several.claim_nothing_lost(stage, instances, 420)
    several.claim_all_taken(stage, instances, [*sessions, *taken])


class _Rounds:
    def __init__(
        self,
        stage: Stage,
        simulator: Simulator,
        instances: Instances,
        names: list[str],
        commits: Commits,
        sessions: list[AgentSession],
    ) -> None:
        self._stage, self._simulator, self._instances = stage, simulator, instances
        self._names, self._commits, self._sessions = names, commits, sessions
        self._counted: list[str] = []
        self._late: list[float] = []
        self._entered: list[float] = []

    def play(self, number: int) -> None:
        """Pause one for twice the lease."""
        paused, role = self._instances[number], self._names[number % 2]
        paused.pause()
        sleep(2 * several.lease(self._stage))
        # What a transaction commits while the process is stopped was on its way before.
        went_on = paused.go_on()
        entered = wait_for(lambda: self._has_entered(role, went_on), _AWAKE_SECONDS, every=0.1)
        self._entered.append(entered if entered is not None else _AWAKE_SECONDS)
        wait_for(lambda: not self._still_double(), _AWAKE_SECONDS, every=0.1)
        sleep(2.0)
        counted = self._before_it_entered(role, went_on)
        self._counted += counted
        doubles = [one for one in listening.overlaps(self._simulator, self._sessions) if one.end > went_on]
        late = max(((one.end - went_on) / 1000 for one in doubles), default=0.0)
        self._late.append(late)
        self._stage.report.note(
            f"pause {number + 1}: entered anew {self._entered[-1]:.1f} s after SIGCONT, {len(doubles)} conversations"
            f" on two sockets until {late:.1f} s after it, {len(counted)} writes in between {counted[:3] or ''}"
        )
        paused.gateway.until_ready()
        simulator_covered = self._simulator.wait_covered(self._sessions, 30)
        if simulator_covered is None:
            self._stage.report.note("not all were covered within 30 s more")

    def _has_entered(self, role: str, since: int) -> bool:
        return any("instance insert" in commit.changed for commit in self._commits.of(role, since))

    def _before_it_entered(self, role: str, since: int) -> list[str]:
        found = []
        for commit in self._commits.of(role, since):
            if "instance insert" in commit.changed:
                break
            found.append(f"{', '.join(sorted(commit.changed))} after {(commit.at - since) / 1000:.2f} s")
        return found

    def _still_double(self) -> bool:
        return any(not one.over for one in listening.overlaps(self._simulator, self._sessions))

    def claim(self) -> None:
        """Claim what holds for all pauses together."""
        report, pauses = self._stage.report, len(self._late)
        held = max(self._entered) < _AWAKE_SECONDS
        report.claim("it enters anew by itself", held, f"{max(self._entered):.1f} s after SIGCONT at the latest")
        text = "no write of the paused one counts before it has entered anew"
        report.claim(text, not self._counted, f"{len(self._counted)} in {pauses} pauses")
        held = max(self._late) < _AWAKE_SECONDS
        text = "its sockets are closed when it wakes: no conversation stays on two"
        report.claim(text, held, f"{max(self._late):.1f} s after SIGCONT at the latest")
