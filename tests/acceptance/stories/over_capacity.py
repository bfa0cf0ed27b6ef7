"""More conversations than topics: the newest wait, are asked about meanwhile, and get the next free topic in order."""

import time
from dataclasses import dataclass
from typing import Any

from gevent import sleep

from tests.benchmarks.motion.play import start_bofe
from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import until, wait_for

SECONDS = 1200
_TOPICS, _COUNT = 50, 80
#: Place among those that wait of the conversation that ends while it waits.
_ENDS_WAITING = 10
#: Time after which a free topic has to be used again.
_TAKEN_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timers:
    """Settings that decide how long the story takes, in seconds."""

    reconcile: int = 120
    settle: int = 300
    quiet: int = 60
    lag: int = 10


def play(stage: Stage) -> None:
    """One channel for conversations, with 50 topics: the second of the budget is kept for handovers."""
    timers = stage.scale.of(
        full=_Timers(),
        fast=_Timers(reconcile=10, settle=20, quiet=5, lag=2),
        small=_Timers(reconcile=4, settle=8, quiet=2, lag=1),
    )
    simulator = stage.simulator({"analyticsLagSeconds": timers.lag})
    settings = {
        "GATEWAY_CHANNEL_BUDGET": 2,
        "GATEWAY_CHANNEL_TOPICS": _TOPICS,
        "GATEWAY_RECONCILE_SECONDS": timers.reconcile,
        "GATEWAY_ANALYTICS_SETTLE_SECONDS": timers.settle,
        "GATEWAY_QUIET_SECONDS": timers.quiet,
    }
    gateway = stage.gateway(simulator, settings).start()
    bofe, url = start_bofe(stage.folder, gateway)
    try:
        # Their order is judged: beside other tests they are far enough apart that no two answers come together.
        per_second = stage.scale.of(20, 20, 8)
        traffic = {"perMinute": 0, "lasting": _COUNT, "standingPerSecond": per_second, "notify": url}
        simulator.control("POST", "/traffic", traffic)
        until(lambda: sum(bool(one["registered"]) for one in _known(simulator)) == _COUNT, 30, "all are registered")
    finally:
        bofe.kill()
    covered, waiting = _claim_the_newest_wait(stage, simulator, gateway)
    _end_one_that_waits(stage, simulator, gateway, waiting.pop(_ENDS_WAITING), timers)
    _give_topics_back(stage, simulator, covered, waiting, timers)
    _finish(simulator, waiting)
    took = simulator.wait_clean(_COUNT, 60)
    stage.report.claim("each is recorded", took is not None, f"{took or -1:.1f} s after the last wrap-up")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator, most=2)


def _known(simulator: Simulator) -> list[dict[str, Any]]:
    """The conversations, in the order of their registrations."""
    return sorted(simulator.ledger("conversations"), key=lambda one: one["registered"] or 0)


def _claim_the_newest_wait(stage: Stage, simulator: Simulator, gateway: Gateway) -> tuple[list[str], list[str]]:
    """Return the conversations with a topic, and those without, each in the order of their registrations."""
    until(lambda: simulator.state()["topics"] == _TOPICS, 20, "every topic is used")
    sleep(3)
    known = _known(simulator)
    covered = [one["conversationId"] for one in known if one["listened"]]
    waiting = [one["conversationId"] for one in known if not one["listened"]]
    newest = [one["conversationId"] for one in known[_TOPICS:]]
    stage.report.claim(f"the newest {len(newest)} wait", waiting == newest, f"{len(waiting)} wait")
    states = {(gateway.view(one) or {}).get("state") for one in waiting}
    stage.report.claim("BOFE is shown `pending`", states == {"pending"}, states)
    return covered, waiting


def _end_one_that_waits(stage: Stage, simulator: Simulator, gateway: Gateway, one: str, timers: _Timers) -> None:
    since = round(time.time() * 1000)
    _finish(simulator, [one])
    bound = 2 * timers.reconcile + timers.lag + 10
    took = wait_for(lambda: simulator.state()["records"] == 1, bound)
    figure = f"{took or -1:.0f} s"
    stage.report.claim(f"one that ends while it waits is recorded within {bound} s", took is not None, figure)
    bound = timers.settle + 2 * timers.reconcile
    took = gateway.wait_state(one, "closed", bound)
    stage.report.claim("... and closed", took is not None, f"{took or -1:.0f} s after its record")
    asked = [call for call in judge.questions(simulator.ledger("calls")) if call["at"] >= since]
    bulk = sum(call["path"].endswith("/details") for call in asked)
    stage.report.note(f"meanwhile {bulk} questions in bulk, {len(asked) - bulk} about single ones")


def _give_topics_back(
    stage: Stage, simulator: Simulator, covered: list[str], waiting: list[str], timers: _Timers
) -> None:
    """Let those with a topic end, so that each of the others gets one."""
    _finish(simulator, covered)
    bound = timers.settle + timers.quiet + 60
    wait_for(lambda: len(_listened(_by_id(simulator), waiting)) == len(waiting), bound, every=0.5)
    known = _by_id(simulator)
    got = _listened(known, waiting)
    stage.report.claim("each that waits gets a topic", len(got) == len(waiting), f"{len(got)} of {len(waiting)}")
    stage.report.claim("the oldest first", got == sorted(got))
    free = sorted(known[one]["unheard"] for one in covered if known[one]["unheard"])
    unused = max((at - since for since, at in zip(free, sorted(got), strict=False)), default=0) / 1000
    text = f"no topic is free for longer than {_TAKEN_SECONDS} s while others wait"
    stage.report.claim(text, unused <= _TAKEN_SECONDS, f"{unused:.1f} s at the longest")
    waits = [known[one]["listened"] - known[one]["registered"] for one in waiting if known[one]["listened"]]
    stage.report.note(f"the longest wait for a topic: {max(waits, default=0) / 1000:.0f} s")


def _by_id(simulator: Simulator) -> dict[str, dict[str, Any]]:
    return {one["conversationId"]: one for one in simulator.ledger("conversations")}


def _listened(known: dict[str, dict[str, Any]], conversations: list[str]) -> list[int]:
    """When those that have or had a topic got it, in the order of ``conversations``."""
    return [known[one]["listened"] for one in conversations if known[one]["listened"] is not None]


def _finish(simulator: Simulator, conversations: list[str]) -> None:
    """The customers hang up and the agents wrap up."""
    for one in conversations:
        simulator.act(one, "end")
        simulator.act(one, "wrapup")
