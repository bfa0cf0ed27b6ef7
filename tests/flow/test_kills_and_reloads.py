"""kill -9 and SIGHUP in a row: never two sockets on a channel, nothing lost, nothing doubled."""

import os
import signal
from collections.abc import Callable

from tests.flow.playing import Playing, until

Stage = Callable[..., Playing]

EACH = 12


def worker_of(play: Playing) -> int:
    children = f"/proc/{play.gateway.process.pid}/task/{play.gateway.process.pid}/children"
    with open(children, encoding="ascii") as file:
        return int(file.read().split()[-1])


def test_one_socket_per_channel_and_one_record_each_whatever_is_killed(stage: Stage) -> None:
    play = stage("--set", "analyticsLagSeconds=1", GATEWAY_ANALYTICS_SETTLE_SECONDS="20")
    ids = play.followed(4 * EACH)

    play.finish(ids[:EACH])
    play.gateway.kill()
    play.restarted()

    play.finish(ids[EACH : 2 * EACH])
    play.gateway.process.send_signal(signal.SIGHUP)
    play.finish(ids[2 * EACH : 3 * EACH])
    until(lambda: [line["event"] for line in play.gateway.log()].count("running") == 3)

    os.kill(worker_of(play), signal.SIGKILL)
    play.finish(ids[3 * EACH :])

    play.until_clean(4 * EACH, 40)
    assert play.socket_events("kicked") == 0
    assert [one for one in play.ledger("evictions") if one["connected"]] == []
