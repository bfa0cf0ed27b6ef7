"""A receiver that refuses every record alike: the lane pauses after ten, nothing is dead; poison alone is dead."""

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.processes import nap
from tests.harness.simulator import Centre, Line, wait_for
from tests.harness.stage import Stage

SECONDS = 300
_COUNT = 200
_PROBE_SECONDS = 5
_SENDERS = 8


def play(stage: Stage) -> None:
    """422, 401 and 404 for all; then 422 for three."""
    centre, finished = stage.centre(), 0
    gateway = stage.gateway(centre, {"GATEWAY_RETRY_MAX_SECONDS": _PROBE_SECONDS}).start()
    for status in (422, 401, 404):
        finished += _COUNT
        _play_refusal(stage, centre, gateway, status, finished)
    _play_poison(stage, centre, gateway, finished)


def _followed(centre: Centre, gateway: Gateway) -> list[Line]:
    lines = centre.start_many(_COUNT)
    gateway.register_all(lines)
    centre.until_listened(lines)
    return lines


def _play_refusal(stage: Stage, centre: Centre, gateway: Gateway, status: int, finished: int) -> None:
    lines, away = _followed(centre, gateway), 12.0
    centre.receive(str(status))
    before = len(centre.attempts())
    centre.finish_all(lines)
    nap(away)
    tried = len(centre.attempts()) - before
    # Ten alike pause it (one is enough where the answer speaks of the deployment); as many as there are senders may be
    # under way then.
    bound = (10 if status == 422 else 1) + _SENDERS + int(away / _PROBE_SECONDS) + 1
    dead = _shown(gateway, lines, "dead")
    stage.report.claim(
        f"{status} for all: the lane pauses", tried <= bound, f"{tried} attempts in {away:.0f} s, bound {bound}"
    )
    centre.receive("ok")
    took = centre.until_clean(finished, 60)
    stage.report.claim(f"{status} for all: nothing is dead", not dead, f"{len(dead)} dead")
    held = took is not None and took <= _PROBE_SECONDS + 5
    stage.report.claim(f"{status} for all: mended, all are delivered", held, f"{took or -1:.1f} s after")


def _play_poison(stage: Stage, centre: Centre, gateway: Gateway, finished: int) -> None:
    lines = _followed(centre, gateway)
    poison = {judge.record_id(f"{one.conversation}/{one.participant}/{one.session}") for one in lines[:3]}
    centre.receive("422", ids=sorted(poison))
    centre.finish_all(lines)
    took = wait_for(lambda: len(centre.ledger("records")) == finished + _COUNT - len(poison), 30)
    wait_for(lambda: len(_shown(gateway, lines[:3], "dead")) == len(poison), 10)
    dead = _shown(gateway, lines, "dead")
    figure = f"others after {took or -1:.1f} s, {len(dead)} dead"
    stage.report.claim(
        "three refused among others: they are dead and hold up nobody", took is not None and dead == poison, figure
    )


def _shown(gateway: Gateway, lines: list[Line], state: str) -> set[str]:
    views = [gateway.view(line.conversation) for line in lines]
    return {record["id"] for view in views for record in view["records"] if record["state"] == state}
