"""19,000 conversations on 19 channels from a cold start: subscribed in 15 s, reconciled in 5 minutes."""

import time

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.processes import memory_mb
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 900
_CHANNELS = 19


def play(stage: Stage) -> None:
    """Register all, kill the gateway, end all after-call work, start again. Each call of the API takes 80 ms."""
    count = _CHANNELS * stage.scale.of(full=1000, fast=100)
    settings = {"GATEWAY_CHANNEL_TOPICS": stage.scale.of(full=1000, fast=100)}
    simulator = stage.simulator()
    simulator.fault("slow", path="/api/v2/*", delaySeconds=0.08)
    gateway = stage.gateway(simulator, settings).start()
    sessions = simulator.start_many(count)
    begun = time.monotonic()
    gateway.register_all(sessions)
    stage.report.note(f"{count} registered, {count / (time.monotonic() - begun):.0f} a second")
    simulator.until_covered(sessions, 60)
    gateway.kill()
    simulator.control("POST", "/wrapup-all", {"perSecond": 20_000})
    wait_for(lambda: simulator.state()["finishedAcw"] == count, 30)
    _start_cold(stage, simulator, gateway, sessions)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator)
    peak = _busiest_minute(simulator)
    stage.report.claim("never over 300 calls in any minute", peak <= 300, peak)


def _start_cold(stage: Stage, simulator: Simulator, gateway: Gateway, sessions: list[AgentSession]) -> None:
    since = round(time.time() * 1000)
    gateway.launch()
    begun = time.monotonic()
    ready = gateway.until_ready()
    took = simulator.wait_covered(sessions, 60)
    elapsed = time.monotonic() - begun
    channels = [channel for channel in simulator.channels() if channel["connected"]]
    calls = [call for call in judge.api_calls(simulator.ledger("calls")) if call["at"] >= since]
    others = len(calls) - len(judge.questions(calls))
    figure = f"{elapsed:.1f} s after the process was started (ready after {ready:.1f} s), {len(channels)} channels"
    stage.report.claim("all subscribed within 15 s", took is not None and elapsed <= 15, figure)
    stage.report.claim("at most 120 calls besides reconciliation", others <= 120, others)
    took = simulator.wait_clean(len(sessions), 420)
    elapsed = time.monotonic() - begun
    figure = (
        f"{elapsed:.0f} s after the start, {judge.sources(simulator.ledger('records'))['backfill']} recovered by asking"
    )
    stage.report.claim("all reconciled within 5 minutes", took is not None and elapsed <= 300, figure)
    asked = [call for call in judge.questions(simulator.ledger("calls")) if call["at"] >= since]
    bulk = sum(call["path"].endswith("/details") for call in asked)
    stage.report.note(f"{bulk} questions in bulk, {len(asked) - bulk} about single ones")
    memory = memory_mb(gateway.worker)
    stage.report.claim("worker under 130 MB", memory < 130, f"{memory:.0f} MB")


def _busiest_minute(simulator: Simulator) -> int:
    """Maximum number of calls in a minute, of each process: each has a token of its own."""
    calls, logins = simulator.ledger("calls"), []
    logins = [call["at"] for call in calls if call["path"] == "/oauth/token"]
    lives = [(start, end) for start, end in zip(logins, [*logins[1:], 1e15], strict=True)]
    of = judge.api_calls(calls)
    return max(judge.most_in_a_minute([c for c in of if start <= c["at"] < end]) for start, end in lives)
