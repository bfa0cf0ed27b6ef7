"""A short day with a kill in it: three calls are registered, covered, wrapped up, delivered and closed.

Invariant: BOFE repeats a registration without an answer; nothing else is repeated. Only the simulator's ledger counts.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from gevent import sleep

from tests.harness import databases, judge
from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.report import Report
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import wait_for

_CALLS = 3
_STEP_SECONDS = 25.0

#: Shorter timers, so that the kill point and the end of the day are reached soon.
_QUICK = {
    "GATEWAY_QUIET_SECONDS": 0.2,
    "GATEWAY_RECONCILE_SECONDS": 1,
    "GATEWAY_ANALYTICS_SETTLE_SECONDS": 1,
    "GATEWAY_LAST_LOOK_SECONDS": 1,
    "GATEWAY_CHANNEL_IDLE_SECONDS": 2,
    "GATEWAY_CHANNEL_OVERLAP_SECONDS": 1,
    "GATEWAY_RETRY_BASE_SECONDS": 0.2,
    "GATEWAY_RETRY_MAX_SECONDS": 2,
    "GATEWAY_HTTP_TIMEOUT_SECONDS": 2,
    "GATEWAY_LEASE_SECONDS": 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The kill point, and what else has to go wrong for the process to reach it."""

    #: name of the kill point, or ``name:n`` for the n-th time it is reached
    point: str
    #: the kill point is reached during a start: the second start is killed
    at_restart: bool = False
    #: the events are lost, so the gateway has to ask Genesys
    deaf: bool = False
    #: the first mode of CommunicationHistory
    history: str = "ok"
    #: Genesys announces that it will close the sockets
    notice: bool = False
    #: the process receives SIGTERM
    terminate: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def play(scene: Scene, kind: str, report: Report) -> bool:
    """Play a scene on that kind of database, and claim that exactly the expected records are there."""
    stage = Stage(report, Scale.FAST)
    held = False
    try:
        with ExitStack() as stack:
            settings: dict[str, object] = {**_QUICK, **scene.environment}
            if kind == "postgresql":
                settings["DATABASE_URL"] = databases.url(stack.enter_context(databases.postgresql()))
            stack.callback(lambda: stage.close(keep=not held))
            simulator = stage.simulator({"analyticsLagSeconds": 0.2})
            simulator.set_receiver(scene.history, deduplicate=False, count=_CALLS)
            day = _Day(scene, simulator, stage.gateway(simulator, settings))
            figure = day.run()
            held = report.claim(f"killed at {scene.point}, {kind}", held=day.held, figure=figure)
    except Exception as error:  # noqa: BLE001 - one scene must not keep the others from being played
        report.claim(f"killed at {scene.point}, {kind}", held=False, figure=f"{type(error).__name__}: {error}")
    if not held:
        report.note(f"logs: {stage.folder}")
    return held


class _Day:
    def __init__(self, scene: Scene, simulator: Simulator, gateway: Gateway) -> None:
        self.held = False
        self._scene = scene
        self._simulator = simulator
        self._gateway = gateway
        self._sessions: list[AgentSession] = []
        self._unanswered: list[AgentSession] = []
        self._strikes = 0

    def run(self) -> str:
        """Play from the first start to the judgement; returns the figure."""
        if self._scene.at_restart:
            self._gateway.start()
            self._open()
            self._gateway.kill()
        self._gateway.launch(GATEWAY_KILL_POINT=self._scene.point)
        for step in self._steps():
            step()
            if self._struck():
                self._restart()
                step()
        return self._judge()

    def _steps(self) -> list[Callable[[], None]]:
        steps = [self._until_ready] + ([] if self._scene.at_restart else [self._open]) + [self._until_covered]
        if self._scene.notice:
            steps.append(self._hand_over)
        steps += [self._finish, self._until_recorded, self._until_closed]
        if self._scene.terminate:
            steps.insert(-2, self._terminate)
        return steps

    # Each step may run twice: before the kill and after it.

    def _until_ready(self) -> None:
        self._until(self._gateway.ready)

    def _open(self) -> None:
        if not self._sessions:
            self._sessions = self._unanswered = self._simulator.start_many(_CALLS)
        for session in list(self._unanswered):
            try:
                if self._gateway.register(session.conversation).status in (200, 201):
                    self._unanswered = [one for one in self._unanswered if one is not session]
            except NoAnswer:
                return

    def _until_covered(self) -> None:
        self._until(lambda: {session.conversation for session in self._sessions} <= self._simulator.covered())
        sleep(0.3)  # the kill points after the subscription are not visible from outside

    def _hand_over(self) -> None:
        if not self._strikes:
            before = {channel["id"] for channel in self._simulator.channels()}
            self._simulator.control("POST", "/channels/all/close", {"notice": True, "afterSeconds": 5})
            self._until(lambda: not before & {c["id"] for c in self._simulator.channels() if c["connected"]})
        self._until_covered()

    def _finish(self) -> None:
        if not self._simulator.ledger("finished"):
            if self._scene.deaf:
                self._until(self._all_asked_about)  # so that the lost events need another question
                self._simulator.fault("lose_events")
            self._simulator.finish_all(self._sessions)
            self._simulator.clear_faults()

    def _all_asked_about(self) -> bool:
        questions = {call["path"] for call in judge.questions(self._simulator.ledger("calls"))}
        return all(f"/api/v2/conversations/{session.conversation}" in questions for session in self._sessions)

    def _terminate(self) -> None:
        if not self._strikes:
            self._gateway.stop()
        else:
            self._until(self._gateway.ready)

    def _until_recorded(self) -> None:
        self._until(lambda: len({one["record"]["id"] for one in self._simulator.ledger("records")}) >= _CALLS)

    def _until_closed(self) -> None:
        self._until(lambda: all(self._view(session) == ("closed", "logged") for session in self._sessions))
        self._until(lambda: not self._simulator.covered())
        sleep(1.5)  # the last look is a second after the close

    # Waiting, killing, judging

    def _until(self, condition: Callable[[], bool]) -> None:
        def came() -> bool:
            try:
                return self._struck() or condition()
            except NoAnswer:
                return False

        if wait_for(came, _STEP_SECONDS) is None:
            raise TimeoutError(f"{len(self._simulator.ledger('records'))} records; see {self._gateway.process.log}")

    def _struck(self) -> bool:
        return self._kills() > self._strikes

    def _kills(self) -> int:
        return self._gateway.process.log.read_bytes().count(b'"kill_point"')

    def _restart(self) -> None:
        self._gateway.kill()  # the master starts another worker, which is killed at the same point
        self._strikes = self._kills()
        self._gateway.launch(GATEWAY_KILL_POINT="")
        self._gateway.until_ready()
        self._open()

    def _view(self, session: AgentSession) -> tuple[str, str | None]:
        view = self._gateway.view(session.conversation) or {}
        return view.get("state", "unknown"), view.get("outcome")

    def _judge(self) -> str:
        finished, records = self._simulator.ledger("finished"), self._simulator.ledger("records")
        wanted = Counter(judge.record_id(acw["recordKey"]) for acw in finished)
        found = Counter(one["record"]["id"] for one in records)
        mixed = judge.mixed_up(finished, records)
        self.held = found == wanted and not mixed and self._strikes > 0 and not self._unanswered
        if not self._strikes:
            return "the place was not reached"
        figure = f"{found.total()} records of {wanted.total()}, {(wanted - found).total()} lost"
        return f"{figure}, {len(mixed)} mixed up" if mixed else figure
