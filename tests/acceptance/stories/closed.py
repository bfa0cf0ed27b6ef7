"""A conversation that is over is closed and its topic removed from the channel; an empty channel is closed."""

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 400


def play(stage: Stage) -> None:
    """Conversations with after-call work, conversations without, and conversations that go on."""
    report, simulator = stage.report, stage.simulator(stage.scale.of({}, {}, {"analyticsLagSeconds": 1}))
    count = stage.scale.of(full=20, fast=20, small=3)
    quiet, routine, idle = stage.scale.of(full=(60, 120, 30), fast=(2, 4, 3), small=(1, 2, 1))
    periods = {
        "GATEWAY_QUIET_SECONDS": quiet,
        "GATEWAY_RECONCILE_SECONDS": routine,
        "GATEWAY_CHANNEL_IDLE_SECONDS": idle,
    }
    gateway = stage.gateway(simulator, periods).start()
    logged, silent = simulator.start_many(count), simulator.start_many(count, acw=False)
    open_ = simulator.start_many(count)
    gateway.register_all([*logged, *silent, *open_])
    simulator.until_covered([*logged, *silent, *open_])
    simulator.finish_all(logged)
    for session in silent:
        simulator.act(session.conversation, "end")
    for session in open_:
        simulator.wrap_up(session)
    over, left = ({session.conversation for session in sessions} for sessions in (logged, open_))
    took = wait_for(lambda: not over & simulator.covered(), quiet + 30, 0.2)
    figure = f"{took or -1:.1f} s after the wrap-ups (quiet for {quiet} s first)"
    report.claim("over and recorded: unsubscribed at Genesys", took is not None, figure)
    took = wait_for(lambda: simulator.covered() == left, routine + 30, 0.2)
    report.claim("over without after-call work: unsubscribed too", took is not None, f"{took or -1:.1f} s later")
    ends = _ends(gateway, logged)
    report.claim("BOFE is shown closed, logged", ends == {("closed", "logged")}, ends)
    ends = _ends(gateway, silent)
    report.claim("or closed, no_acw", ends == {("closed", "no_acw")}, ends)
    ends = _ends(gateway, open_)
    report.claim("conversations that go on stay subscribed, without an outcome", ends == {("subscribed", None)}, ends)
    for session in open_:
        simulator.act(session.conversation, "end")
    took = wait_for(lambda: not simulator.connected(), 3 * routine + quiet + idle + 30, 0.2)
    report.claim("when all are over, the empty channel is closed", took is not None, f"{took or -1:.1f} s later")
    changes = judge.changes_of_subscriptions(simulator.ledger("calls"))
    report.note(f"{len(changes)} subscription calls in all: topics are removed over the socket")
    judge.nothing_lost_nothing_doubled(report, simulator)


def _ends(gateway: Gateway, sessions: list[AgentSession]) -> set[tuple[str, str | None]]:
    return {(view["state"], view["outcome"]) for view in gateway.views(sessions)}
