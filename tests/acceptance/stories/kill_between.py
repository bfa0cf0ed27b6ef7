"""kill -9 between the event and its delivery, many times: each record arrives, once."""

import os
import signal
from random import Random

from gevent import sleep

from tests.harness import judge
from tests.harness.stage import Stage
from tests.harness.waiting import until

SECONDS = 400
_EACH = 8
_KINDS = ("slow", "apply_then_hang", "unread", "hang", "names", "apply_then_500", "ok")


def play(stage: Stage) -> None:
    """Kill at random moments: with slow names, a slow, hanging or unanswering receiver, and unread events."""
    rounds = stage.scale.of(full=24, fast=8)
    random, simulator, expected = Random(7), stage.simulator(), 0
    gateway = stage.gateway(simulator).start()
    starts = []
    for number in range(rounds):
        sessions = simulator.start_many(_EACH)
        gateway.register_all(sessions)
        simulator.until_covered(sessions)
        kind = _KINDS[number % len(_KINDS)]
        if kind == "unread":
            # Then the events reach the buffers of its sockets, and no further.
            os.kill(gateway.worker, signal.SIGSTOP)
        elif kind == "names":
            simulator.fault("slow", path="/api/v2/users/*", delaySeconds=0.5)
        else:
            simulator.set_receiver(kind, delaySeconds=0.3)
        for session in sessions:
            simulator.finish(session)
        sleep(random.uniform(0, 0.6))
        gateway.kill()
        simulator.clear_faults()
        simulator.set_receiver("ok")
        gateway.launch()
        starts.append(gateway.until_ready())
        expected += _EACH
    took = simulator.wait_clean(expected, 60)
    stage.report.note(f"{rounds} rounds of {_EACH}; ready {max(starts):.1f} s after a kill at the latest")
    stage.report.claim("all records arrive after the last start", took is not None, f"{took or 0:.1f} s")
    attempts = simulator.attempts()
    posts = [attempt["id"] for attempt in attempts if attempt["stored"]]
    stage.report.note(
        f"{expected} records, {len(attempts)} attempts, {len(posts) - len(set(posts))} repeated after storing"
    )
    backfilled = judge.sources(simulator.ledger("records"))["backfill"]
    stage.report.note(f"{backfilled} were recovered by asking Genesys (their event never reached our disk)")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator, most=2)
    _without_deduplication(stage)


def _without_deduplication(stage: Stage) -> None:
    """The same with a receiver that stores every POST, but answers lookups."""
    simulator = stage.simulator()
    simulator.set_receiver("apply_then_hang", deduplicate=False)
    gateway = stage.gateway(simulator, name="asking").start()
    sessions = simulator.start_many(_EACH)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    for session in sessions:
        simulator.finish(session)
    until(lambda: len(simulator.ledger("records")) == _EACH, 10, "all are stored, none is answered")
    gateway.kill()
    simulator.set_receiver("ok", deduplicate=False)
    gateway.launch()
    gateway.until_ready()
    sleep(8)
    stored = len(simulator.ledger("records"))
    stage.report.claim(
        "killed with attempts unanswered, a receiver that does not deduplicate is looked up first: none doubled",
        stored == _EACH,
        f"{stored} records of {_EACH}",
    )
