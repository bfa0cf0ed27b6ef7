"""2xx means on disk: kill -9 right after each 201, then read it back after the restart."""

from random import Random
from uuid import uuid4

import gevent

from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.stage import Stage

SECONDS = 400
_CLIENTS = 8


def play(stage: Stage) -> None:
    """Kill after one registration per round; then kill under the load of several clients."""
    rounds = stage.scale.of(full=20, fast=5)
    gateway = stage.gateway(stage.simulator()).start()
    promised: dict[str, str] = {}
    for _ in range(rounds):
        conversation, customer = str(uuid4()), str(uuid4())
        if gateway.register(conversation, customer).status == 201:
            promised[conversation] = customer
        gateway.restart_after_kill()
    stage.report.claim(
        "killed right after each 201: each is there", not _missing(gateway, promised), f"{rounds} rounds"
    )

    unanswered, many = 0, dict[str, str]()
    random = Random(3)
    for _ in range(rounds // 2):
        unanswered += _round(gateway, many, random.uniform(0.02, 0.4))
        gateway.launch()
        gateway.until_ready()
    missing = _missing(gateway, many)
    stage.report.note(f"{_CLIENTS} clients, {rounds // 2} kills: {len(many)} answered 201, {unanswered} not answered")
    stage.report.claim("killed under load: every 201 is there", bool(many) and not missing, f"{len(missing)} missing")


def _round(gateway: Gateway, promised: dict[str, str], seconds: float) -> int:
    unanswered = 0

    def client() -> None:
        nonlocal unanswered
        try:
            while True:
                conversation, customer = str(uuid4()), str(uuid4())
                if gateway.register(conversation, customer).status == 201:
                    promised[conversation] = customer
        except NoAnswer:
            unanswered += 1

    clients = [gevent.spawn(client) for _ in range(_CLIENTS)]
    gevent.sleep(seconds)
    gateway.kill()
    gevent.joinall(clients)
    return unanswered


def _missing(gateway: Gateway, promised: dict[str, str]) -> list[str]:
    return [one for one, customer in promised.items() if (gateway.view(one) or {}).get("customerId") != customer]
