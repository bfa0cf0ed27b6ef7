"""429 storms: no call before Retry-After is over, and everything converges."""

from tests.harness import judge
from tests.harness.simulator import Centre
from tests.harness.stage import Stage

_COUNT, _STORMS, _RETRY_AFTER = 200, 3, 6


def play(stage: Stage) -> None:
    """Storms at the start, amid registrations, and amid wrap-ups."""
    centre = stage.centre()
    finished = 0
    _storm(centre)
    gateway = stage.gateway(centre).start()
    for number in range(_STORMS):
        lines = centre.start_many(_COUNT)
        gateway.register_all(lines)
        if number:
            _storm(centre)
        took = centre.wait_listened(lines, 60)
        stage.report.claim(f"storm {number + 1}: all covered afterwards", took is not None, f"{took or -1:.1f} s")
        centre.finish_all(lines)
        finished += _COUNT
        took = centre.until_clean(finished, 60)
        stage.report.claim(f"storm {number + 1}: all recorded", took is not None, f"{took or -1:.1f} s")
    early, storms = _early(centre)
    stage.report.claim("no call before Retry-After is over", not early, f"{len(early)} early in {storms} refusals")
    judge.nothing_lost_nothing_doubled(stage.report, centre)


def _storm(centre: Centre) -> None:
    centre.fault("rate_storm", retryAfter=_RETRY_AFTER, count=3)


def _early(centre: Centre) -> tuple[list[float], int]:
    """Calls of the API that came within the time a 429 had asked for; 100 ms is granted to those under way."""
    calls = judge.api_calls(centre.ledger("calls"))
    refusals = [call["at"] for call in calls if call["status"] == 429]
    early = [
        (call["at"] - refused) / 1000
        for refused in refusals
        for call in calls
        if refused + 100 < call["at"] < refused + _RETRY_AFTER * 1000 - 100
    ]
    return early, len(refusals)
