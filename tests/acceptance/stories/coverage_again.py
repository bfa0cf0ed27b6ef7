"""A full channel's socket is killed, frozen, refused with 404: full coverage within heartbeat + 5 s each time."""

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 300
_TOPICS = 1000


def play(stage: Stage) -> None:
    """Three troubles of one channel; at full scale the heartbeat is at its default of 40 s."""
    heartbeat = stage.scale.of(full=40, fast=6)
    simulator = stage.simulator(stage.scale.of(full=None, fast={"heartbeatSeconds": 4}))
    gateway = stage.gateway(simulator, {"GATEWAY_HEARTBEAT_SECONDS": heartbeat}).start()
    sessions = simulator.start_many(_TOPICS)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    _killed(stage, simulator, sessions, heartbeat)
    _gone(stage, simulator, sessions, heartbeat)
    _frozen(stage, simulator, gateway, sessions, heartbeat)
    simulator.finish_all(sessions)
    simulator.wait_clean(_TOPICS, 60)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


def _killed(stage: Stage, simulator: Simulator, sessions: list[AgentSession], heartbeat: int) -> None:
    opened = simulator.sockets_opened()
    simulator.control("POST", "/channels/all/drop")
    took = wait_for(lambda: simulator.sockets_opened() > opened and _all_covered(simulator, sessions), heartbeat + 30)
    _claim(stage, "killed", took, heartbeat)


def _gone(stage: Stage, simulator: Simulator, sessions: list[AgentSession], heartbeat: int) -> None:
    """The channel no longer exists: its address answers 404, and another channel is needed."""
    before = simulator.connected()
    simulator.fault("refuse_upgrade", status=404, count=1)
    simulator.control("POST", "/channels/all/drop")
    took = wait_for(lambda: not before & simulator.connected() and _all_covered(simulator, sessions), heartbeat + 30)
    _claim(stage, "refused with 404", took, heartbeat)
    stage.report.claim(
        "refused with 404: on one new channel", len(simulator.connected()) == 1, len(simulator.connected())
    )


def _frozen(stage: Stage, simulator: Simulator, gateway: Gateway, sessions: list[AgentSession], heartbeat: int) -> None:
    opened = simulator.sockets_opened()
    (channel,) = [one["id"] for one in simulator.channels() if one["connected"]]
    # Longer than the heartbeat: a freeze that ends earlier need not be noticed.
    simulator.fault("freeze", channel=channel, seconds=heartbeat + 20)
    noticed = wait_for(lambda: simulator.sockets_opened() > opened, heartbeat + 30)
    held = noticed is not None and noticed <= heartbeat + 5
    stage.report.claim("frozen: a new socket within heartbeat + 5 s", held, f"{noticed or -1:.1f} s")
    shown = gateway.wait_state(sessions[-1].conversation, "subscribed", 10)
    stage.report.claim("frozen: covered again", shown is not None, f"{shown or -1:.1f} s after that")


def _claim(stage: Stage, what: str, took: float | None, heartbeat: int) -> None:
    held = took is not None and took <= heartbeat + 5
    stage.report.claim(f"{what}: full coverage within heartbeat + 5 s ({heartbeat + 5} s)", held, f"{took or -1:.1f} s")


def _all_covered(simulator: Simulator, sessions: list[AgentSession]) -> bool:
    return {session.conversation for session in sessions} <= simulator.covered()
