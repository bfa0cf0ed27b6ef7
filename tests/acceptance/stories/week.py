"""A week at Genesys in seven minutes: tokens renewed, channels handed over daily, wrap-ups all the while."""

from gevent import sleep

from tests.acceptance.stories.handover import talking
from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.processes import memory_mb
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage

SECONDS = 900
#: A day in a minute.
_SPEED = 1440
_CHANNELS, _TOPICS = 19, 20
#: Settings in real time are shortened.
_SETTINGS = {
    "GATEWAY_CHANNEL_TOPICS": _TOPICS,
    "GATEWAY_CHANNEL_HANDOVER_SECONDS": 10,
    "GATEWAY_CHANNEL_OVERLAP_SECONDS": 1,
    "GATEWAY_HEARTBEAT_SECONDS": 10,
    "GATEWAY_API_RATE_PER_MINUTE": 3000,
    "GATEWAY_AUDIT_SECONDS": 20,
    "GATEWAY_FOLLOW_DEADLINE_SECONDS": 3600,
}


def play(stage: Stage) -> None:
    """19 channels and their tokens, each of which lasts a day."""
    days = stage.scale.of(full=7, fast=2)
    # Genesys's minute is 40 ms here; the gateway applies the limit that Genesys reports to minutes of its own.
    simulator = stage.simulator({"heartbeatSeconds": 3600, "closingSeconds": 3600, "callsPerMinute": 3000})
    simulator.control("POST", "/clock", {"speed": _SPEED})
    gateway = stage.gateway(simulator, _SETTINGS).start()
    sessions = simulator.start_many(_CHANNELS * _TOPICS)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    made = len(judge.creations(simulator.ledger("calls")))
    memory = []
    with talking(simulator, sessions, 20):
        for day in range(days):
            sleep(60)
            memory.append(memory_mb(gateway.worker))
            stage.report.note(f"day {day + 1}: {simulator.state()['finishedAcw']} wrap-ups, worker {memory[-1]:.0f} MB")
    _judge(stage, simulator, gateway, days, made)
    flat = memory[-1] - memory[0] < 15
    stage.report.claim("memory is flat", flat, f"{memory[0]:.0f} MB after a day, {memory[-1]:.0f} MB at the end")


def _judge(stage: Stage, simulator: Simulator, gateway: Gateway, days: int, made: int) -> None:
    took = simulator.wait_clean(simulator.state()["finishedAcw"], 60)
    calls = simulator.ledger("calls")
    logins = sum(call["path"] == "/oauth/token" for call in calls)
    stage.report.claim(f"at least {days} token renewals", logins - 1 >= days, logins - 1)
    handovers = len(judge.creations(calls)) - made
    wanted = _CHANNELS * days - 3
    stage.report.claim(f"at least {wanted} handovers", handovers >= wanted, handovers)
    stage.report.claim("everything is recorded", took is not None, f"{took or -1:.1f} s after the last wrap-up")
    recovered = judge.sources(simulator.ledger("records"))["backfill"]
    stage.report.note(
        f"{recovered} records came by asking; the gateway reports {gateway.metric('channels_open'):.0f} open"
    )
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator)
