"""The receiver is away for a minute, in four ways: every record arrives once after it is back."""

import socket
from collections import Counter
from urllib.parse import urlsplit

from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import until, wait_for

SECONDS = 500
#: Records that wait; with more of them it shows better whether some are sent twice before others are sent once.
_COUNTS = {"down": 20, "503": 200, "hang": 20, "apply_then_hang": 20}
_MOST_ATTEMPTS = 39


def play(stage: Stage) -> None:
    """Refused connections, 503, silence, and silence after storing; then it is as before."""
    simulator = stage.simulator(own_history_port=True)
    quick = {"GATEWAY_RETRY_MAX_SECONDS": 5, "GATEWAY_HTTP_TIMEOUT_SECONDS": 1}
    gateway = stage.gateway(simulator, stage.scale.of(full={}, fast={}, small=quick)).start()
    finished = 0
    for mode, count in _COUNTS.items():
        finished += count
        _outage(stage, simulator, gateway, mode, finished)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    stage.report.note(f"attempts in all: {len(simulator.attempts())}")


def _outage(stage: Stage, simulator: Simulator, gateway: Gateway, mode: str, finished: int) -> None:
    count, away = _COUNTS[mode], stage.scale.of(full=60.0, fast=10.0, small=1.0)
    sessions = simulator.start_many(count)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    before = len(simulator.attempts())
    # One that stores and does not answer: a record is doubled if it is sent again without a lookup.
    stores = mode == "apply_then_hang"
    simulator.set_receiver(mode, deduplicate=not stores)
    if mode == "down":
        until(lambda: _refuses_connections(simulator.history_url), what="the receiver is down")
    simulator.finish_all(sessions)
    if stage.scale is Scale.SMALL and mode != "down":
        most = 6 if mode == "503" else 1
        until(lambda: len(simulator.attempts()) >= before + most, 15, "attempts were made")
    sleep(away)
    _claim_outage(stage, simulator, gateway, sessions, mode, Counter(a["id"] for a in simulator.attempts()[before:]))
    none = stores or len(simulator.ledger("records")) == finished - count
    simulator.set_receiver("ok", deduplicate=not stores)
    took = simulator.wait_clean(finished, 60)
    # Tests of an outage come at least every tenth of GATEWAY_RETRY_MAX_SECONDS, 300 by default.
    held = none and took is not None and took <= 31
    text = f"receiver {mode} for {away:.0f} s: all arrive after it is back"
    stage.report.claim(text, held, f"after {took or -1:.1f} s")
    delivered = wait_for(lambda: _states(gateway, sessions) == Counter(delivered=count), 15)
    stage.report.claim(f"receiver {mode}: BOFE is shown each as delivered", delivered is not None)
    stored = len(simulator.ledger("records"))
    stage.report.claim(f"receiver {mode}: each is stored once", stored == finished, f"{stored} of {finished}")


def _claim_outage(
    stage: Stage,
    simulator: Simulator,
    gateway: Gateway,
    sessions: list[AgentSession],
    mode: str,
    attempts: Counter[str],
) -> None:
    tried, most = attempts.total(), max(attempts.values(), default=0)
    stage.report.note(f"{mode} with {len(sessions)} records waiting: {tried} attempts reached it meanwhile")
    if mode == "503":
        # The breaker permits one at a time, and none twice while there are others that were not tried.
        text = f"receiver 503: at most {_MOST_ATTEMPTS} attempts, none of one record more than twice"
        stage.report.claim(text, tried <= _MOST_ATTEMPTS and most <= 2, f"{tried}, {most} of one at most")
    if mode == "down":
        stage.report.claim("receiver down: no attempt reaches it", tried == 0, tried)
        shown = wait_for(lambda: _states(gateway, sessions[:1]) == Counter(pending=1), 15)
        stage.report.claim("receiver down: BOFE is shown the record as pending", shown is not None)


def _refuses_connections(url: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=1):
            return False
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it was closing
        return False


def _states(gateway: Gateway, sessions: list[AgentSession]) -> Counter[str]:
    return Counter(record["state"] for view in gateway.views(sessions) for record in view["records"])
