"""A full channel with 50 events a second is handed over on notice, expiry and token end: all come live, once."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent.event import Event

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.processes import nap
from tests.harness.simulator import Centre, Line
from tests.harness.stage import Stage

SECONDS = 800
_TOPICS, _PER_SECOND = 1000, 50


def play(stage: Stage) -> None:
    """Each kind of end with a contact centre of its own."""
    seconds = 75.0 if stage.fast else 150.0
    _play_end(stage, "notice", {}, seconds)
    _play_end(stage, "expiry", {"channelSeconds": 60}, seconds)
    _play_end(stage, "token", {"tokenSeconds": 60}, seconds)


def _play_end(stage: Stage, kind: str, dials: dict[str, float], seconds: float) -> None:
    centre = stage.centre(dials)
    gateway = stage.gateway(centre, {"GATEWAY_CHANNEL_OVERLAP_SECONDS": 10}, name=kind).start()
    lines = centre.start_many(_TOPICS)
    gateway.register_all(lines)
    centre.until_listened(lines)
    made = len(judge.creations(centre.ledger("calls")))
    with talking(centre, lines):
        if kind == "notice":
            nap(5)
            centre.control("POST", "/channels/all/close", {"notice": True, "afterSeconds": 30})
        nap(seconds)
    _judge_end(stage, centre, gateway, kind, made)


def _judge_end(stage: Stage, centre: Centre, gateway: Gateway, kind: str, made: int) -> None:
    finished = centre.state()["finishedAcw"]
    took = centre.until_clean(finished, 30)
    handovers = len(judge.creations(centre.ledger("calls"))) - made
    recovered = judge.sources(centre.ledger("records"))["backfill"]
    stage.report.did(f"{kind}: {finished} events, {handovers} successors made, clean after {took or -1:.1f} s")
    stage.report.claim(f"{kind}: handed over", handovers >= 1, handovers)
    stage.report.claim(f"{kind}: 0 recovered by REST", recovered == 0, recovered)
    judge.nothing_lost_nothing_doubled(stage.report, centre)
    judge.one_socket_per_channel(stage.report, centre)
    gateway.close()


@contextmanager
def talking(centre: Centre, lines: list[Line], per_second: float = _PER_SECOND) -> Iterator[None]:
    """Transfers and wrap-ups, one after the other over all conversations, at that rate."""
    over = Event()
    agents = {line.conversation: line for line in lines}

    def talk() -> None:
        begun = time.monotonic()
        for number, line in enumerate(itertools.cycle(lines)):
            if over.wait(max(0.0, begun + number / per_second - time.monotonic())):
                return
            agents[line.conversation], done = centre.transfer(line.conversation), agents[line.conversation]
            centre.wrap_up(done)

    talker = gevent.spawn(talk)
    try:
        yield
    finally:
        over.set()
        talker.get()
