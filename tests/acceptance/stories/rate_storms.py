"""429 storms: no call before Retry-After is over, and everything converges."""

from tests.harness import judge
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage

_COUNT, _STORMS, _RETRY_AFTER = 200, 3, 6


def play(stage: Stage) -> None:
    """Storms at the start, amid registrations, and amid wrap-ups."""
    simulator = stage.simulator()
    finished = 0
    _storm(simulator)
    gateway = stage.gateway(simulator).start()
    for number in range(_STORMS):
        sessions = simulator.start_many(_COUNT)
        gateway.register_all(sessions)
        if number:
            _storm(simulator)
        took = simulator.wait_covered(sessions, 60)
        stage.report.claim(f"storm {number + 1}: all covered afterwards", took is not None, f"{took or -1:.1f} s")
        simulator.finish_all(sessions)
        finished += _COUNT
        took = simulator.wait_clean(finished, 60)
        stage.report.claim(f"storm {number + 1}: all recorded", took is not None, f"{took or -1:.1f} s")
    early, storms = _early(simulator)
    stage.report.claim("no call before Retry-After is over", not early, f"{len(early)} early in {storms} refusals")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


def _storm(simulator: Simulator) -> None:
    simulator.fault("rate_storm", retryAfter=_RETRY_AFTER, count=3)


def _early(simulator: Simulator) -> tuple[list[float], int]:
    """Calls of the API that came within the time a 429 had asked for; 100 ms is granted to those under way."""
    calls = judge.api_calls(simulator.ledger("calls"))
    refusals = [call["at"] for call in calls if call["status"] == 429]
    early = [
        (call["at"] - refused) / 1000
        for refused in refusals
        for call in calls
        if refused + 100 < call["at"] < refused + _RETRY_AFTER * 1000 - 100
    ]
    return early, len(refusals)
