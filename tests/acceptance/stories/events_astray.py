"""A second agent's event is lost, late, doubled, or comes while the conversation is being closed: one record each."""

from random import Random

import gevent

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.processes import nap
from tests.harness.simulator import Centre, Line, wait_for
from tests.harness.stage import Stage

SECONDS = 400
_EACH = 20
_FAULTS = {
    "lose_events": {},
    "delay_events": {"delaySeconds": 25},
    "duplicate_events": {"times": 3, "delaySeconds": 2},
    "reorder_events": {"delaySeconds": 5},
}


def play(stage: Stage) -> None:
    """Transfers first, then closes that race with events."""
    centre = stage.centre()
    # Defaults need half an hour for the same; the periods are shortened, not the order of things.
    gateway = stage.gateway(centre, {"GATEWAY_QUIET_SECONDS": 3, "GATEWAY_RECONCILE_SECONDS": 5}).start()
    finished = _transfers(stage, centre, gateway)
    centre.mend()
    _races(stage, centre, gateway, finished)
    judge.nothing_lost_nothing_doubled(stage.report, centre)


def _transfers(stage: Stage, centre: Centre, gateway: Gateway) -> int:
    for name, how in _FAULTS.items():
        for line in _followed(centre, gateway, _EACH):
            second = centre.transfer(line.conversation)
            centre.wrap_up(line)
            centre.fault(name, topic=f"*{line.conversation}*", **how)
            centre.play(line.conversation, "end")
            centre.wrap_up(second)
    finished = 2 * _EACH * len(_FAULTS)
    took = centre.until_clean(finished, 90)
    text = "second agent's event lost, 25 s late, tripled or out of order: one record each"
    figure = (
        f"{finished} records after {took or -1:.1f} s, {judge.sources(centre.ledger('records'))['backfill']} by asking"
    )
    stage.report.claim(text, took is not None, figure)
    nap(30)  # the late ones come after all was recovered
    return finished


def _races(stage: Stage, centre: Centre, gateway: Gateway, finished: int) -> None:
    """The answer to "is it over" takes long, and the second agent is done while it is under way, or just before."""
    random = Random(5)
    centre.fault("slow", path="/api/v2/conversations/*", delaySeconds=0.5)
    lines = _followed(centre, gateway, 3 * _EACH)
    gevent.joinall([gevent.spawn(_race, centre, line, random.uniform(2, 6)) for line in lines], raise_error=True)
    took = centre.until_clean(finished + 2 * len(lines), 60)
    figure = f"{2 * len(lines)} records after {took or -1:.1f} s"
    stage.report.claim("closes that race with an event: none lost, none doubled", took is not None, figure)
    centre.mend()
    closed = wait_for(lambda: all(_closed_as_logged(gateway, line) for line in lines), 90, 1)
    stage.report.claim("all of them are closed, logged", closed is not None, f"{closed or -1:.1f} s later")


def _race(centre: Centre, line: Line, seconds: float) -> None:
    second = centre.transfer(line.conversation)
    centre.play(line.conversation, "end")
    centre.wrap_up(line)
    nap(seconds)
    centre.wrap_up(second)


def _followed(centre: Centre, gateway: Gateway, count: int) -> list[Line]:
    lines = centre.start_many(count)
    gateway.register_all(lines)
    centre.until_listened(lines)
    return lines


def _closed_as_logged(gateway: Gateway, line: Line) -> bool:
    view = gateway.view(line.conversation)
    return (view["state"], view["outcome"], len(view["records"])) == ("closed", "logged", 2)
