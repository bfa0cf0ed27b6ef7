"""kill -9 between the event and its delivery, many times: each record arrives, once."""

import os
import signal
from random import Random

from tests.harness import judge
from tests.harness.processes import nap
from tests.harness.simulator import until
from tests.harness.stage import Stage

SECONDS = 400
_EACH = 8
_KINDS = ("slow", "apply_then_hang", "unread", "hang", "names", "apply_then_500", "ok")


def play(stage: Stage) -> None:
    """Rounds with varied moments: names slow; receiver slow, hanging, storing unanswered; the event read or unread."""
    rounds = 8 if stage.fast else 24
    random, centre, expected = Random(7), stage.centre(), 0
    gateway = stage.gateway(centre).start()
    starts = []
    for number in range(rounds):
        lines = centre.start_many(_EACH)
        gateway.register_all(lines)
        centre.until_listened(lines)
        kind = _KINDS[number % len(_KINDS)]
        if kind == "unread":
            os.kill(
                gateway.worker, signal.SIGSTOP
            )  # then the events get as far as its sockets' buffers, and no further
        elif kind == "names":
            centre.fault("slow", path="/api/v2/users/*", delaySeconds=0.5)
        else:
            centre.receive(kind, delaySeconds=0.3)
        for line in lines:
            centre.finish(line)
        nap(random.uniform(0, 0.6))
        gateway.kill()
        centre.mend()
        centre.receive("ok")
        gateway.launch()
        starts.append(gateway.until_ready())
        expected += _EACH
    took = centre.until_clean(expected, 60)
    stage.report.did(f"{rounds} rounds of {_EACH}; ready {max(starts):.1f} s after a kill at the latest")
    stage.report.claim("all records arrive after the last start", took is not None, f"{took or 0:.1f} s")
    attempts = centre.attempts()
    posts = [attempt["id"] for attempt in attempts if attempt["stored"]]
    stage.report.did(
        f"{expected} records, {len(attempts)} attempts, {len(posts) - len(set(posts))} repeated after storing"
    )
    backfilled = judge.sources(centre.ledger("records"))["backfill"]
    stage.report.did(f"{backfilled} were recovered by asking Genesys (their event never met our disk)")
    judge.nothing_lost_nothing_doubled(stage.report, centre)
    judge.one_socket_per_channel(stage.report, centre, most=2)
    _without_deduplication(stage)


def _without_deduplication(stage: Stage) -> None:
    """The same against a receiver that stores whatever it is sent, but can be asked."""
    centre = stage.centre()
    centre.receive("apply_then_hang", deduplicate=False)
    gateway = stage.gateway(centre, name="asking").start()
    lines = centre.start_many(_EACH)
    gateway.register_all(lines)
    centre.until_listened(lines)
    for line in lines:
        centre.finish(line)
    until(lambda: len(centre.ledger("records")) == _EACH, 10, "all are stored, none is answered")
    gateway.kill()
    centre.receive("ok", deduplicate=False)
    gateway.launch()
    gateway.until_ready()
    nap(8)
    stored = len(centre.ledger("records"))
    stage.report.claim(
        "killed with attempts unanswered, a receiver that does not deduplicate is asked first: none doubled",
        stored == _EACH,
        f"{stored} records of {_EACH}",
    )
