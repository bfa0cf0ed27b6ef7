"""A socket closed at once, after notice, or frozen: covered again in time, and nothing is lost."""

import gevent
from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 300
_COUNT = 50
_HEARTBEAT_SECONDS = 4


def play(stage: Stage) -> None:
    """The same conversations' worth of wrap-ups around each trouble; heartbeats are made short."""
    simulator = stage.simulator({"heartbeatSeconds": 3})
    gateway = stage.gateway(simulator, {"GATEWAY_HEARTBEAT_SECONDS": _HEARTBEAT_SECONDS}).start()
    _closed(stage, simulator, _sessions(simulator, gateway))
    _notice(stage, simulator, _sessions(simulator, gateway))
    _frozen(stage, simulator, _sessions(simulator, gateway))
    sources = judge.sources(simulator.ledger("records"))
    stage.report.note(f"records: {sources['live']} live, {sources['backfill']} recovered by asking")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


def _sessions(simulator: Simulator, gateway: Gateway) -> list[AgentSession]:
    sessions = simulator.start_many(_COUNT)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    return sessions


def _closed(stage: Stage, simulator: Simulator, sessions: list[AgentSession]) -> None:
    for action in ("drop", "close"):
        half = sessions[: _COUNT // 2] if action == "drop" else sessions[_COUNT // 2 :]
        before = len(simulator.ledger("finished"))
        simulator.control("POST", f"/channels/all/{action}", {"goodbye": True} if action == "close" else {})
        simulator.finish_all(half)
        covered = simulator.wait_covered(half, 20)
        took = simulator.wait_clean(before + len(half), 60)
        figure = f"covered after {covered or -1:.1f} s, all recorded after {took or -1:.1f} s more"
        stage.report.claim(f"socket ended by {action}, wrap-ups meanwhile: all recorded", took is not None, figure)


def _notice(stage: Stage, simulator: Simulator, sessions: list[AgentSession]) -> None:
    before, sources = len(simulator.ledger("finished")), judge.sources(simulator.ledger("records"))
    simulator.control("POST", "/channels/all/close", {"notice": True, "afterSeconds": 20})

    def wrap_up_slowly() -> None:
        for session in sessions:
            simulator.finish(session)
            sleep(0.5)

    gevent.spawn(wrap_up_slowly).join()
    took = simulator.wait_clean(before + len(sessions), 60)
    after = judge.sources(simulator.ledger("records"))
    recovered = after["backfill"] - sources["backfill"]
    held = took is not None and not recovered
    stage.report.claim(
        "closing notice, wrap-ups all through it: all come live", held, f"{recovered} recovered by asking"
    )


def _frozen(stage: Stage, simulator: Simulator, sessions: list[AgentSession]) -> None:
    before = len(simulator.ledger("finished"))
    frozen = next(channel["id"] for channel in simulator.channels() if channel["connected"] and channel["topics"])
    opened = _opened(simulator)
    simulator.fault("freeze", channel=frozen, seconds=_HEARTBEAT_SECONDS + 2)
    simulator.finish_all(sessions)
    noticed = wait_for(lambda: _opened(simulator) > opened, 30)
    took = simulator.wait_clean(before + len(sessions), 60)
    bound = _HEARTBEAT_SECONDS + 5
    held = took is not None and noticed is not None and noticed <= bound
    figure = f"another socket after {noticed or -1:.1f} s, all recorded after {took or -1:.1f} s more"
    stage.report.claim(f"socket frozen: noticed within heartbeat + 5 s ({bound} s), all recorded", held, figure)


def _opened(simulator: Simulator) -> int:
    return sum(entry["event"] == "opened" for entry in simulator.ledger("sockets"))
