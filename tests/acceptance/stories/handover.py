"""A full channel with 50 events a second is handed over on notice, expiry and token end: all come live, once."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent import sleep
from gevent.event import Event

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage

SECONDS = 800
_TOPICS, _PER_SECOND = 1000, 50


def play(stage: Stage) -> None:
    """Each kind of end, with a simulator of its own."""
    seconds = stage.scale.of(full=150.0, fast=75.0)
    _play_end(stage, "notice", {}, seconds)
    _play_end(stage, "expiry", {"channelSeconds": 60}, seconds)
    _play_end(stage, "token", {"tokenSeconds": 60}, seconds)


def _play_end(stage: Stage, kind: str, options: dict[str, float], seconds: float) -> None:
    simulator = stage.simulator(options)
    gateway = stage.gateway(simulator, {"GATEWAY_CHANNEL_OVERLAP_SECONDS": 10}, name=kind).start()
    sessions = simulator.start_many(_TOPICS)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    made = len(judge.creations(simulator.ledger("calls")))
    with talking(simulator, sessions):
        if kind == "notice":
            sleep(5)
            simulator.control("POST", "/channels/all/close", {"notice": True, "afterSeconds": 30})
        sleep(seconds)
    _judge_end(stage, simulator, gateway, kind, made)


def _judge_end(stage: Stage, simulator: Simulator, gateway: Gateway, kind: str, made: int) -> None:
    finished = simulator.state()["finishedAcw"]
    took = simulator.wait_clean(finished, 30)
    handovers = len(judge.creations(simulator.ledger("calls"))) - made
    recovered = judge.sources(simulator.ledger("records"))["backfill"]
    stage.report.note(f"{kind}: {finished} events, {handovers} successors made, clean after {took or -1:.1f} s")
    stage.report.claim(f"{kind}: handed over", handovers >= 1, handovers)
    stage.report.claim(f"{kind}: 0 recovered by REST", recovered == 0, recovered)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator)
    gateway.close()


@contextmanager
def talking(simulator: Simulator, sessions: list[AgentSession], per_second: float = _PER_SECOND) -> Iterator[None]:
    """Within the block, transfer and wrap up the conversations in turn, at that rate.

    The last one registered comes first: reconciliation asks about the first ones first, and an answer that shows a
    wrap-up of the same millisecond may be stored before its event.
    """
    over = Event()
    agents = {session.conversation: session for session in sessions}

    def talk() -> None:
        begun = time.monotonic()
        for number, session in enumerate(itertools.cycle(reversed(sessions))):
            if over.wait(max(0.0, begun + number / per_second - time.monotonic())):
                return
            agents[session.conversation], done = simulator.transfer(session.conversation), agents[session.conversation]
            simulator.wrap_up(done)

    talker = gevent.spawn(talk)
    try:
        yield
    finally:
        over.set()
        talker.get()
