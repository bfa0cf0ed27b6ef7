"""19 full channels get the closing notice in the same second: all are handed over within the budget, none lost."""

from gevent import sleep

from tests.acceptance.stories.handover import talking
from tests.harness import judge
from tests.harness.stage import Stage

SECONDS = 700


def play(stage: Stage) -> None:
    """19 channels, one spare, with 50 events a second throughout."""
    topics = stage.scale.of(full=1000, fast=100)
    simulator = stage.simulator()
    gateway = stage.gateway(simulator, {"GATEWAY_CHANNEL_TOPICS": topics}).start()
    sessions = simulator.start_many(19 * topics)
    gateway.register_all(sessions)
    simulator.until_covered(sessions, 60)
    before = {channel["id"] for channel in simulator.channels() if channel["connected"]}
    stage.report.note(f"{len(sessions)} conversations on {len(before)} channels")
    with talking(simulator, sessions):
        simulator.control("POST", "/channels/all/close", {"notice": True})
        sleep(60)
        stage.report.note("a minute later: all 19 sockets were closed by the server")
        covered = simulator.wait_covered(sessions, 60)
        sleep(20)
    stage.report.claim("all are covered again", covered is not None, f"{covered or -1:.1f} s after the close")
    took = simulator.wait_clean(simulator.state()["finishedAcw"], 240)
    now = {channel["id"] for channel in simulator.channels() if channel["connected"]}
    recovered = judge.sources(simulator.ledger("records"))["backfill"]
    figure = (
        f"{len(now - before)} channels are new, {recovered} events recovered by REST, clean after {took or -1:.1f} s"
    )
    stage.report.note(figure)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator)
