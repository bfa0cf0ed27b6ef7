"""What happens after a conversation was closed is recorded too: registered again, or found by the last look."""

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import Centre, Line, wait_for
from tests.harness.stage import Stage

_EACH = 10
_LAST_LOOK_SECONDS = 20


def play(stage: Stage) -> None:
    """Customers of closed message conversations write again; of half of them BOFE tells us."""
    centre = stage.centre()
    settings = {
        "GATEWAY_QUIET_SECONDS": 1,
        "GATEWAY_RECONCILE_SECONDS": 10,  # also how often somebody looks for last looks
        "GATEWAY_LAST_LOOK_SECONDS": _LAST_LOOK_SECONDS,
    }
    gateway = stage.gateway(centre, settings).start()
    lines = centre.start_many(2 * _EACH, mediaType="MESSAGE", messageType="WHATSAPP", addressFrom="+639171234567")
    gateway.register_all(lines)
    centre.until_listened(lines)
    centre.finish_all(lines)
    took = wait_for(lambda: all(_shown(gateway, line) == ("closed", 1) for line in lines), 60, 0.2)
    stage.report.claim("all are closed with their record", took is not None, f"after {took or -1:.1f} s")
    told, untold = lines[:_EACH], lines[_EACH:]
    for line in lines:
        centre.play(line.conversation, "reopen")
    for line in told:
        customer = gateway.view(line.conversation)["customerId"]
        gateway.register(line.conversation, customer)
    centre.until_listened(told)
    listened = centre.listened()
    stage.report.claim("registered again, they are followed again", not {one.conversation for one in untold} & listened)
    for line in lines:
        centre.play(line.conversation, "end")
        centre.play(line.conversation, "wrapup")
    _claim_records(stage, centre, gateway, told, "registered again: the second agent's record is there", 10)
    _claim_records(stage, centre, gateway, untold, "not told of: the last look finds it", _LAST_LOOK_SECONDS + 40)
    judge.nothing_lost_nothing_doubled(stage.report, centre)


def _claim_records(
    stage: Stage, centre: Centre, gateway: Gateway, lines: list[Line], text: str, seconds: float
) -> None:
    took = wait_for(lambda: all(_shown(gateway, line)[1] == 2 for line in lines), seconds, 0.2)
    figure = f"after {took or -1:.1f} s; {judge.sources(centre.ledger('records'))['backfill']} by asking so far"
    stage.report.claim(text, took is not None, figure)


def _shown(gateway: Gateway, line: Line) -> tuple[str, int]:
    view = gateway.view(line.conversation)
    return view["state"], sum(record["state"] == "delivered" for record in view["records"])
