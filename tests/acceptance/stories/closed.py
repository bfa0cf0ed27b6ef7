"""A conversation that is over is closed and its topic taken off the channel at Genesys; empty channels are closed."""

from tests.harness import judge
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 400
_COUNT = 20


def play(stage: Stage) -> None:
    """Logged ones, ones without after-call work, and ones that go on."""
    simulator = stage.simulator()
    quiet, routine, idle = stage.scale.of(full=(60, 120, 30), fast=(2, 4, 3))
    periods = {
        "GATEWAY_QUIET_SECONDS": quiet,
        "GATEWAY_RECONCILE_SECONDS": routine,
        "GATEWAY_CHANNEL_IDLE_SECONDS": idle,
    }
    gateway = stage.gateway(simulator, periods).start()
    logged, silent, open_ = (
        simulator.start_many(_COUNT),
        simulator.start_many(_COUNT, acw=False),
        simulator.start_many(_COUNT),
    )
    gateway.register_all([*logged, *silent, *open_])
    simulator.until_covered([*logged, *silent, *open_])
    simulator.finish_all(logged)
    for session in silent:
        simulator.act(session.conversation, "end")
    for session in open_:
        simulator.wrap_up(session)
    left = {session.conversation for session in open_}
    took = wait_for(lambda: not {one.conversation for one in logged} & simulator.covered(), quiet + 30, 0.2)
    figure = f"{took or -1:.1f} s after the wrap-ups (quiet for {quiet} s first)"
    stage.report.claim("over and recorded: unsubscribed at Genesys", took is not None, figure)
    took = wait_for(lambda: simulator.covered() == left, routine + 30, 0.2)
    stage.report.claim("over without after-call work: unsubscribed too", took is not None, f"{took or -1:.1f} s later")
    ends = {(view["state"], view["outcome"]) for view in (gateway.view(one.conversation) for one in logged)}
    stage.report.claim("BOFE is shown closed, logged", ends == {("closed", "logged")}, ends)
    ends = {(view["state"], view["outcome"]) for view in (gateway.view(one.conversation) for one in silent)}
    stage.report.claim("or closed, no_acw", ends == {("closed", "no_acw")}, ends)
    states = {gateway.view(one.conversation)["state"] for one in open_}
    stage.report.claim("the ones that go on stay subscribed", states == {"subscribed"}, states)
    for session in open_:
        simulator.act(session.conversation, "end")
    took = wait_for(lambda: not any(c["connected"] for c in simulator.channels()), 3 * routine + quiet + idle + 30, 0.2)
    stage.report.claim("when all are over, the empty channel is closed", took is not None, f"{took or -1:.1f} s later")
    changes = judge.changes_of_subscriptions(simulator.ledger("calls"))
    stage.report.note(f"{len(changes)} subscription calls in all: removals go over the socket")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
