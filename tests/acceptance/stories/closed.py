"""A conversation that is over is closed and its topic taken off the channel at Genesys; empty channels are closed."""

from tests.harness import judge
from tests.harness.simulator import wait_for
from tests.harness.stage import Stage

SECONDS = 400
_COUNT = 20


def play(stage: Stage) -> None:
    """Logged ones, ones without after-call work, and ones that go on."""
    centre = stage.centre()
    quick = {"GATEWAY_QUIET_SECONDS": 2, "GATEWAY_RECONCILE_SECONDS": 4, "GATEWAY_CHANNEL_IDLE_SECONDS": 3}
    gateway = stage.gateway(centre, quick if stage.fast else None).start()
    quiet, routine, idle = (2, 4, 3) if stage.fast else (60, 120, 30)
    logged, silent, open_ = centre.start_many(_COUNT), centre.start_many(_COUNT, acw=False), centre.start_many(_COUNT)
    gateway.register_all([*logged, *silent, *open_])
    centre.until_listened([*logged, *silent, *open_])
    centre.finish_all(logged)
    for line in silent:
        centre.play(line.conversation, "end")
    for line in open_:
        centre.wrap_up(line)
    left = {line.conversation for line in open_}
    took = wait_for(lambda: not {one.conversation for one in logged} & centre.listened(), quiet + 30, 0.2)
    figure = f"{took or -1:.1f} s after the wrap-ups (quiet for {quiet} s first)"
    stage.report.claim("over and recorded: unsubscribed at Genesys", took is not None, figure)
    took = wait_for(lambda: centre.listened() == left, routine + 30, 0.2)
    stage.report.claim("over without after-call work: unsubscribed too", took is not None, f"{took or -1:.1f} s later")
    ends = {(view["state"], view["outcome"]) for view in (gateway.view(one.conversation) for one in logged)}
    stage.report.claim("BOFE is shown closed, logged", ends == {("closed", "logged")}, ends)
    ends = {(view["state"], view["outcome"]) for view in (gateway.view(one.conversation) for one in silent)}
    stage.report.claim("or closed, no_acw", ends == {("closed", "no_acw")}, ends)
    states = {gateway.view(one.conversation)["state"] for one in open_}
    stage.report.claim("the ones that go on stay subscribed", states == {"subscribed"}, states)
    for line in open_:
        centre.play(line.conversation, "end")
    took = wait_for(lambda: not any(c["connected"] for c in centre.channels()), 3 * routine + quiet + idle + 30, 0.2)
    stage.report.claim("when all are over, the empty channel is closed", took is not None, f"{took or -1:.1f} s later")
    changes = judge.changes_of_subscriptions(centre.ledger("calls"))
    stage.report.did(f"{len(changes)} subscription calls in all: removals go over the socket")
    judge.nothing_lost_nothing_doubled(stage.report, centre)
