"""The receiver is away for a minute, in three ways: every record arrives after it is back."""

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.processes import nap
from tests.harness.simulator import Centre
from tests.harness.stage import Stage

SECONDS = 400
_EACH = 20


def play(stage: Stage) -> None:
    """Refused connections, 503, and silence; then it is as it was."""
    centre = stage.centre(own_history_port=True)
    gateway = stage.gateway(centre).start()
    away = 10.0 if stage.fast else 60.0
    for number, mode in enumerate(("down", "503", "hang"), 1):
        _outage(stage, centre, gateway, mode, away, number * _EACH)
    judge.nothing_lost_nothing_doubled(stage.report, centre)
    stage.report.did(f"attempts in all: {len(centre.attempts())}")


def _outage(stage: Stage, centre: Centre, gateway: Gateway, mode: str, away: float, finished: int) -> None:
    lines = centre.start_many(_EACH)
    gateway.register_all(lines)
    centre.until_listened(lines)
    before = len(centre.attempts())
    centre.receive(mode)
    centre.finish_all(lines)
    nap(away)
    none = len(centre.ledger("records")) == finished - _EACH
    during = len(centre.attempts()) - before
    centre.receive("ok")
    took = centre.until_clean(finished, 60)
    stage.report.did(f"{mode} for {away:.0f} s with {_EACH} records waiting: {during} attempts reached it meanwhile")
    # Tests of an outage come at least every tenth of GATEWAY_RETRY_MAX_SECONDS, 300 by default.
    held = none and took is not None and took <= 31
    stage.report.claim(
        f"receiver {mode} for {away:.0f} s: all arrive after it is back", held, f"after {took or -1:.1f} s"
    )
