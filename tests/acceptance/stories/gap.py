"""A socket frozen and dropped for a minute, 500 wrap-ups meanwhile: all recovered soon, with few calls."""

import time

from gevent import sleep

from tests.harness import judge
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import until

SECONDS = 1200
_COUNT = 500
_EXTRA_SECONDS = 10
#: A pause longer than this, in ms, separates two rounds of calls.
_PAUSE_MS = 200


def play(stage: Stage) -> None:
    """With analytics that lag behind by nothing, half a minute, four minutes."""
    for lag in stage.scale.of(full=(0, 30, 240), fast=(0, 5)):
        _play_lag(stage, lag, stage.scale.of(full=60.0, fast=12.0))


def _play_lag(stage: Stage, lag: int, away: float) -> None:
    simulator = stage.simulator({"analyticsLagSeconds": lag})
    gateway = stage.gateway(simulator, name=f"lag-{lag}").start()
    sessions = simulator.start_many(_COUNT)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    for session in sessions:
        simulator.act(session.conversation, "end")
    sleep(1)

    # Until after the drop, or the frozen frames would still be delivered.
    simulator.fault("freeze", seconds=away / 2 + 1)
    simulator.control("POST", "/wrapup-all", {"perSecond": _COUNT / (away - 0.5)})
    sleep(away / 2)
    simulator.fault("refuse_upgrade", status=503, seconds=away / 2)
    simulator.control("POST", "/channels/all/drop")
    sleep(away / 2)
    back_at = round(time.time() * 1000) - 50
    until(simulator.connected, 30, "a socket is open again")
    bound = lag + _EXTRA_SECONDS
    simulator.wait_clean(_COUNT, bound + 60)
    records = simulator.ledger("records")
    reconnected = _first_opened(simulator, back_at)
    last = max((judge.epoch_ms(entry["receivedAt"]) for entry in records), default=0)
    took = (last - reconnected) / 1000
    stage.report.note(f"lag {lag} s: away for {away:.0f} s, a socket {(reconnected - back_at) / 1000:.1f} s later")
    held = len(records) == _COUNT and took <= bound
    figure = f"{len(records)} after {took:.1f} s, {judge.sources(records)['backfill']} of them by asking"
    stage.report.claim(f"lag {lag} s: all {_COUNT} recovered within {bound} s of the reconnect", held, figure)
    _claim_calls(stage, simulator, lag, (reconnected, last))
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    gateway.close()


def _claim_calls(stage: Stage, simulator: Simulator, lag: int, window: tuple[int, int]) -> None:
    """At most 15 calls in a round: ten bulk calls for all 500, 50 each, and five about single conversations."""
    calls = simulator.ledger("calls")
    asked = [call for call in judge.questions(calls) if window[0] <= call["at"] <= window[1]]
    bulk = sum(call["path"].endswith("/details") for call in asked)
    largest = judge.largest_burst(asked, _PAUSE_MS)
    stage.report.note(f"lag {lag} s: {len(asked)} calls until then, {bulk} of them in bulk")
    stage.report.claim(f"lag {lag} s: at most 15 calls a round", largest <= 15, f"{largest} in the largest")
    peak = judge.most_in_a_minute(judge.api_calls(calls))
    stage.report.claim(f"lag {lag} s: never over 300 calls in any minute", peak <= 300, peak)


def _first_opened(simulator: Simulator, since: int) -> int:
    return min(int(e["at"]) for e in simulator.ledger("sockets") if e["event"] == "opened" and e["at"] >= since)
