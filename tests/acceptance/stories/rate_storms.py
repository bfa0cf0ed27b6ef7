"""429 storms: no call before Retry-After is over, and everything converges."""

from typing import Any

from tests.harness import judge
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage

#: Granted to calls that were under way when a 429 came, and to the accuracy of the end; more beside other tests.
_GRANTED_MS, _GRANTED_BESIDE_OTHER_TESTS = 100, 500


def play(stage: Stage) -> None:
    """Storms at the start and between registrations and coverage."""
    count, storms = stage.scale.of(full=200, fast=200, small=20), stage.scale.of(full=3, fast=3, small=2)
    retry_after, refusals = stage.scale.of(full=6, fast=6, small=2), stage.scale.of(full=3, fast=3, small=2)
    simulator = stage.simulator()
    simulator.fault("rate_storm", retryAfter=retry_after, count=refusals)
    gateway = stage.gateway(simulator).start()
    finished, refused = 0, list[int]()
    for number in range(storms):
        sessions = simulator.start_many(count)
        if number:
            simulator.fault("rate_storm", retryAfter=retry_after, count=refusals)
        gateway.register_all(sessions)
        took = simulator.wait_covered(sessions, 60)
        stage.report.claim(f"storm {number + 1}: all covered afterwards", took is not None, f"{took or -1:.1f} s")
        simulator.finish_all(sessions)
        finished += count
        took = simulator.wait_clean(finished, 60)
        stage.report.claim(f"storm {number + 1}: all recorded", took is not None, f"{took or -1:.1f} s")
        refused.append(len(_refusals(_calls(simulator))) - sum(refused))
    granted = stage.scale.of(_GRANTED_MS, _GRANTED_MS, _GRANTED_BESIDE_OTHER_TESTS)
    early = _early(simulator, retry_after * 1000, granted)
    stage.report.claim("each storm refused calls", min(refused) == refusals, refused)
    figure = f"{len(early)} early in {sum(refused)} refusals"
    stage.report.claim("no call before Retry-After is over", not early, figure)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


def _calls(simulator: Simulator) -> list[Any]:
    return judge.api_calls(simulator.ledger("calls"))


def _refusals(calls: list[Any]) -> list[int]:
    """The times of all 429."""
    return [call["at"] for call in calls if call["status"] == 429]


def _early(simulator: Simulator, retry_after_ms: int, granted_ms: int) -> list[float]:
    """Calls of the API that came within the time a 429 had asked for, in seconds after it."""
    calls = _calls(simulator)
    return [
        (call["at"] - refused) / 1000
        for refused in _refusals(calls)
        for call in calls
        if refused + granted_ms < call["at"] < refused + retry_after_ms - granted_ms
    ]
