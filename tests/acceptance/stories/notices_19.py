"""19 full channels are told to close in the same second: all are handed over within the budget, nothing is lost."""

from tests.acceptance.stories.handover import talking
from tests.harness import judge
from tests.harness.processes import nap
from tests.harness.stage import Stage

SECONDS = 700


def play(stage: Stage) -> None:
    """19 channels, one spare, 50 events a second all the while."""
    topics = 100 if stage.fast else 1000
    centre = stage.centre()
    gateway = stage.gateway(centre, {"GATEWAY_CHANNEL_TOPICS": topics} if stage.fast else {}).start()
    lines = centre.start_many(19 * topics)
    gateway.register_all(lines)
    centre.until_listened(lines, 60)
    before = {channel["id"] for channel in centre.channels() if channel["connected"]}
    stage.report.did(f"{len(lines)} conversations on {len(before)} channels")
    with talking(centre, lines):
        centre.control("POST", "/channels/all/close", {"notice": True})
        nap(60)
        stage.report.did("a minute later: all 19 sockets were closed by the server")
        covered = centre.wait_listened(lines, 60)
        nap(20)
    stage.report.claim("all are covered again", covered is not None, f"{covered or -1:.1f} s after the close")
    took = centre.until_clean(centre.state()["finishedAcw"], 240)
    now = {channel["id"] for channel in centre.channels() if channel["connected"]}
    recovered = judge.sources(centre.ledger("records"))["backfill"]
    figure = (
        f"{len(now - before)} channels are new, {recovered} events recovered by REST, clean after {took or -1:.1f} s"
    )
    stage.report.did(figure)
    judge.nothing_lost_nothing_doubled(stage.report, centre)
    judge.one_socket_per_channel(stage.report, centre)
