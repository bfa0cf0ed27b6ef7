"""After a transfer the second agent's after-call work is a record of its own; so are a consult's and a callback's."""

from tests.harness import judge
from tests.harness.processes import nap
from tests.harness.stage import Stage

_ROUNDS = 10


def play(stage: Stage) -> None:
    """Wrap-ups of two agents, in either order, minutes of talk left out."""
    centre = stage.centre()
    gateway = stage.gateway(centre).start()
    finished = 0
    for number in range(_ROUNDS):
        first = centre.start()
        gateway.register(first.conversation)
        centre.until_listened([first])
        second = centre.transfer(first.conversation)
        for line in (first, second) if number % 2 else (second, first):
            centre.wrap_up(line)
        centre.play(first.conversation, "end")
        finished += 2
    for _ in range(_ROUNDS):
        first = centre.start()
        gateway.register(first.conversation)
        centre.until_listened([first])
        centre.play(first.conversation, "consult")
        centre.play(first.conversation, "end")
        centre.play(first.conversation, "wrapup")
        centre.play(first.conversation, "wrapup")
        finished += 2
    for _ in range(_ROUNDS):
        line = centre.start(mediaType="CALLBACK", callbackNumbers=["+639171234567"], dialled=True)
        gateway.register(line.conversation)
        centre.until_listened([line])
        centre.finish(line)
        finished += 2
    took = centre.until_clean(finished, 20)
    stage.report.claim(
        "two records for each of them", took is not None, f"{len(centre.ledger('records'))} of {finished}"
    )
    nap(1)
    shown = gateway.view(first.conversation)
    agents = {entry["record"]["body"]["agentName"] for entry in centre.ledger("records")}
    stage.report.did(f"agents: {', '.join(sorted(agents))}")
    stage.report.claim("BOFE is shown both", len(shown["records"]) == 2, f"{len(shown['records'])} records")
    judge.nothing_lost_nothing_doubled(stage.report, centre)
