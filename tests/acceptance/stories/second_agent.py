"""After a transfer the second agent's after-call work is a record of its own; so are a consult's and a callback's."""

from gevent import sleep

from tests.harness import judge
from tests.harness.stage import Stage

_ROUNDS = 10


def play(stage: Stage) -> None:
    """Wrap-ups of two agents, in either order, minutes of talk left out."""
    simulator = stage.simulator()
    gateway = stage.gateway(simulator).start()
    finished = 0
    for number in range(_ROUNDS):
        first = simulator.start()
        gateway.register(first.conversation)
        simulator.until_covered([first])
        second = simulator.transfer(first.conversation)
        for session in (first, second) if number % 2 else (second, first):
            simulator.wrap_up(session)
        simulator.act(first.conversation, "end")
        finished += 2
    for _ in range(_ROUNDS):
        first = simulator.start()
        gateway.register(first.conversation)
        simulator.until_covered([first])
        simulator.act(first.conversation, "consult")
        simulator.act(first.conversation, "end")
        simulator.act(first.conversation, "wrapup")
        simulator.act(first.conversation, "wrapup")
        finished += 2
    for _ in range(_ROUNDS):
        session = simulator.start(mediaType="CALLBACK", callbackNumbers=["+639171234567"], dialled=True)
        gateway.register(session.conversation)
        simulator.until_covered([session])
        simulator.finish(session)
        finished += 2
    took = simulator.wait_clean(finished, 20)
    stage.report.claim(
        "two records for each of them", took is not None, f"{len(simulator.ledger('records'))} of {finished}"
    )
    sleep(1)
    shown = gateway.view(first.conversation)
    agents = {entry["record"]["body"]["agentName"] for entry in simulator.ledger("records")}
    stage.report.note(f"agents: {', '.join(sorted(agents))}")
    stage.report.claim("BOFE is shown both", len(shown["records"]) == 2, f"{len(shown['records'])} records")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
