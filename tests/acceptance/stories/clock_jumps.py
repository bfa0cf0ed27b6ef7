"""The gateway's clock jumps a day ahead and an hour back: nothing is dead, unresolved or erased."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gevent import sleep

from tests.harness import judge
from tests.harness.clock import WrongClock
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import until, wait_for

SECONDS = 300
#: Shorter than the jump, so that the jump passes every date.
_DATES = {"GATEWAY_FOLLOW_DEADLINE_SECONDS": 43_200, "GATEWAY_RETRY_LIMIT_HOURS": 12}
_JUMPS = ((86_400, "a day forward"), (82_800, "an hour back"))


def play(stage: Stage) -> None:
    """Records wait for a receiver that is away, and conversations are open, when the clock jumps."""
    clock = WrongClock(stage.folder / "offset")
    longest = stage.scale.of(full=10, fast=10, small=2)
    simulator = stage.simulator()
    gateway = stage.gateway(simulator, {**_DATES, "GATEWAY_RETRY_MAX_SECONDS": longest, **clock.environment}).start()
    for number, (jump, text) in enumerate(stage.scale.of(full=_JUMPS, fast=_JUMPS, small=_JUMPS[:1])):
        _play_jump(stage, simulator, gateway, clock, jump, text, number)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator, most=4)


def _play_jump(
    stage: Stage, simulator: Simulator, gateway: Gateway, clock: WrongClock, jump: int, text: str, number: int
) -> None:
    count = stage.scale.of(full=30, fast=30, small=8)
    delivered, waiting, open_, at_it = (simulator.start_many(count) for _ in range(4))
    everyone = [*delivered, *waiting, *open_, *at_it]
    gateway.register_all(everyone)
    simulator.until_covered(everyone)
    before = 4 * count * number
    simulator.finish_all(delivered)
    simulator.wait_clean(before + count, 20)
    attempts = len(simulator.attempts())
    simulator.set_receiver("503")
    simulator.finish_all(waiting)
    for session in at_it:  # the customer has hung up, the agent writes notes
        simulator.act(session.conversation, "end")
    until(lambda: len(simulator.attempts()) > attempts, 15, "a record was refused")
    sleep(stage.scale.of(full=5.0, fast=5.0, small=0.5))
    calls = len(simulator.ledger("calls"))
    clock.wrong_by(jump)
    right = datetime.now(UTC) + timedelta(seconds=jump)
    _let_time_pass(stage, gateway, waiting, right)
    calls = len(judge.api_calls(simulator.ledger("calls")[calls:]))
    stage.report.claim(f"{text}: Genesys is not flooded", calls <= 200, f"{calls} calls since the jump")
    _claim_they_go_on(stage, gateway.views(waiting), right, text)
    _claim_nothing_buried(stage, gateway.views(everyone), text)
    took = simulator.wait_covered(open_, 20)
    stage.report.claim(f"{text}: open conversations are covered", took is not None, f"after {took or -1:.1f} s more")
    simulator.set_receiver("ok")
    simulator.finish_all(open_)
    for session in at_it:
        simulator.wrap_up(session)
    took = simulator.wait_clean(before + 4 * count, 60)
    stage.report.claim(f"{text}: everything is delivered afterwards", took is not None, f"after {took or -1:.1f} s")


def _let_time_pass(stage: Stage, gateway: Gateway, waiting: list[AgentSession], right: datetime) -> None:
    """40 s after the jump, or at the small scale 2 s after the first timeline of a waiting record that shows it."""
    if stage.scale is Scale.SMALL:
        wait_for(lambda: _steps_after(gateway.views(waiting), right), 30)
    sleep(stage.scale.of(full=40.0, fast=40.0, small=2.0))


def _claim_they_go_on(stage: Stage, views: list[Any], right: datetime, text: str) -> None:
    steps = _steps_after(views, right)
    stage.report.claim(f"{text}: timelines show it, and go on", steps > 0, f"{steps} steps since the jump")


def _claim_nothing_buried(stage: Stage, views: list[Any], text: str) -> None:
    dead = [one for view in views for one in view["records"] if one["state"] == "dead"]
    stage.report.claim(f"{text}: no record is dead", not dead, f"{len(dead)} dead")
    unresolved = sum(view["outcome"] == "unresolved" for view in views)
    erased = sum(view["customerId"] is None for view in views)
    figure = f"{unresolved}, {erased}"
    stage.report.claim(f"{text}: none is unresolved or erased", not unresolved and not erased, figure)


def _steps_after(views: list[Any], right: datetime) -> int:
    """Number of steps in the timelines at the time that the wrong clock shows; a minute is allowed for the jump."""
    steps = [datetime.fromisoformat(step["at"]) for view in views for step in view["timeline"]]
    return sum(abs(step - right) < timedelta(seconds=60) for step in steps)
