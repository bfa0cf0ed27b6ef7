"""Four instances on one OAuth client: never more than 20 channels connected, none evicted, also during restarts."""

import gevent
from gevent import sleep

from tests.acceptance import several
from tests.harness import judge
from tests.harness.instances import Instances, on_one_database
from tests.harness.load import registering, talking
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage

SECONDS = 900
_TOPICS, _COUNT = 100, 1500


def play(stage: Stage) -> None:
    """1,500 of 1,900 places are used while two are restarted by SIGTERM, and two are killed and started."""
    simulator = stage.simulator()
    simulator.set_receiver("ok", deduplicate=False)
    instances = on_one_database(stage, simulator, 4, {"GATEWAY_CHANNEL_TOPICS": _TOPICS, **several.settings(stage)})
    if instances is None:
        return
    instances.start()
    sessions = simulator.start_many(_COUNT)
    instances.register_all(sessions)
    took = simulator.wait_covered(sessions, 60)
    stage.report.claim(f"{_COUNT} are covered", took is not None, f"{took or -1:.1f} s after the last registration")
    _note_channels(stage, simulator)
    with talking(simulator, sessions, 20.0), registering(instances, 1.0) as taken:
        for number in range(stage.scale.of(full=3, fast=1)):
            _restart_two(stage, simulator, instances, sessions, number)
    simulator.finish_all(taken)
    several.claim_nothing_lost(stage, instances, 420)
    sockets, evictions = simulator.ledger("sockets"), simulator.ledger("evictions")
    stage.report.note(
        f"{judge.most_connected(sockets)} channels connected at once, {len(evictions)} unconnected evicted"
    )


def _restart_two(
    stage: Stage, simulator: Simulator, instances: Instances, sessions: list[AgentSession], number: int
) -> None:
    """By SIGTERM and start, at the same time; then by kill and start."""
    gevent.joinall([gevent.spawn(_restart, instances, one) for one in (number, number + 1)], raise_error=True)
    _claim_covered(stage, simulator, sessions, f"round {number + 1}: two are restarted")
    for one in (number + 2, number + 3):
        instances[one].kill()
        instances[one].gateway.launch()
    for one in (number + 2, number + 3):
        instances[one].gateway.until_ready()
    _claim_covered(stage, simulator, sessions, f"round {number + 1}: two are killed and started")


def _restart(instances: Instances, number: int) -> None:
    instances[number].stop()
    instances[number].gateway.start()


def _claim_covered(stage: Stage, simulator: Simulator, sessions: list[AgentSession], what: str) -> None:
    bound = several.LEASE + several.HEARTBEAT + 10
    took = simulator.wait_covered(sessions, bound)
    figure = f"{took or -1:.1f} s later" if took is not None else "not all"
    stage.report.claim(f"{what}: all are covered within {bound:.0f} s", took is not None, figure)
    _note_channels(stage, simulator)
    sleep(5)


def _note_channels(stage: Stage, simulator: Simulator) -> None:
    topics = sorted(len(channel["topics"]) for channel in simulator.channels() if channel["connected"])
    stage.report.note(f"{len(topics)} channels connected, with {topics} topics")
