"""Conversations that spoil the questions about them keep no other open, and their own records come all the same."""

import itertools
from collections import Counter
from typing import Any

import gevent
from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import wait_for

Json = dict[str, Any]

SECONDS = 400
_BULK = "/api/v2/analytics/conversations/details"
_LIVE = "/api/v2/conversations/*"
_QUIET, _ROUTINE, _SETTLE = 2, 4, 3
#: Seconds between two events of the conversations that go on.
_PAUSE = 0.7


def play(stage: Stage) -> None:
    """Bulk answers that fail because of one of 50, then live answers that are refused, in every way that is known."""
    settings = {
        "GATEWAY_QUIET_SECONDS": _QUIET,
        "GATEWAY_RECONCILE_SECONDS": _ROUTINE,
        "GATEWAY_ANALYTICS_SETTLE_SECONDS": _SETTLE,
    }
    simulator = stage.simulator({"analyticsLagSeconds": 0.5})
    gateway = stage.gateway(simulator, settings).start()
    open_ = _followed(simulator, gateway, stage.scale.of(full=30, fast=30, small=10))
    traffic = gevent.spawn(_keep_busy, simulator, open_)
    kinds: tuple[tuple[str, str, Json], ...] = (
        ("a server error", "answer", {"status": 500}),
        ("a refusal (400)", "answer", {"status": 400}),
        ("no JSON", "garbage_answer", {}),
        ("an answer over 5 MB", "large_answer", {"bytes": 6_000_000}),
        ("no answer", "hang", {}),
    )
    for text, fault, details in stage.scale.of(full=kinds, fast=(kinds[0], *kinds[3:]), small=kinds[:1]):
        _one_of_many(stage, simulator, gateway, text, fault, details)
    traffic.kill()
    still = Counter(view["state"] for view in gateway.views(open_))
    stage.report.claim("those that go on are still followed", still == {"subscribed": len(open_)}, dict(still))
    calls = judge.api_calls(simulator.ledger("calls"))
    peak = judge.most_in_a_minute(calls)
    stage.report.claim("never over 300 calls in any minute", peak <= 300, peak)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    _only_one_view(stage, settings)


def _only_one_view(stage: Stage, settings: Json) -> None:
    """Short timers make more questions than 300 calls a minute allow, so this gateway may make more."""
    simulator = stage.simulator({"analyticsLagSeconds": 0.5, "callsPerMinute": 1200})
    gateway = stage.gateway(simulator, {**settings, "GATEWAY_API_RATE_PER_MINUTE": 1200}, name="one-view").start()
    _live_refused(stage, simulator, gateway)
    if stage.scale is not Scale.SMALL:  # it takes a minute
        _hollow(stage, simulator, gateway)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


def _keep_busy(simulator: Simulator, sessions: list[AgentSession]) -> None:
    """Each conversation goes on with another agent, one after the other: each event is a reason to ask about it."""
    for turn in itertools.count():
        at = turn % len(sessions)
        before, sessions[at] = sessions[at], simulator.transfer(sessions[at].conversation)
        simulator.wrap_up(before)
        sleep(_PAUSE)


def _one_of_many(stage: Stage, simulator: Simulator, gateway: Gateway, text: str, fault: str, details: Json) -> None:
    """50 conversations end long after their registration, so only the questions after their events can close them."""
    sessions = _followed(simulator, gateway, 50)
    sleep(_SETTLE + 3)  # until no conversation is in doubt
    bad = sessions[0].conversation
    simulator.fault(fault, path=_BULK, conversation=bad, **details)
    before = len(_bulk_calls(simulator))
    simulator.finish_all(sessions)
    others = sessions[1:]
    took = wait_for(lambda: _closed(gateway, others) == len(others), 60, 0.5)
    figure = f"{_closed(gateway, others)} of {len(others)} after {took or -1:.1f} s"
    stage.report.claim(f"{text} because of one of 50: the others are closed", took is not None, figure)
    took = gateway.wait_state(bad, "closed", 30)
    stage.report.claim(f"{text}: that one is closed, too", took is not None, f"{took or -1:.1f} s later")
    calls = len(_bulk_calls(simulator)) - before
    stage.report.claim(f"{text}: at most 40 bulk questions meanwhile", calls <= 40, calls)
    simulator.clear_faults()


def _live_refused(stage: Stage, simulator: Simulator, gateway: Gateway) -> None:
    kinds = (404, 410, 400, 422, 500)
    for status in stage.scale.of(full=kinds, fast=(404, 410, 500), small=kinds[:1]):
        for count in stage.scale.of(full=(1, 8), fast=(1, 8), small=(1,)):
            _only_analytics_know(stage, simulator, gateway, status, count)


def _only_analytics_know(stage: Stage, simulator: Simulator, gateway: Gateway, status: int, count: int) -> None:
    """The events are lost, so only an answer can bring the records, and only analytics give one."""
    simulator.fault("lose_events")
    sessions = simulator.start_many(count)
    for session in sessions:
        simulator.fault("answer", path=_LIVE, conversation=session.conversation, status=status)
        simulator.finish(session)
    gateway.register_all(sessions)
    took = wait_for(lambda: _with_record(gateway, sessions) == count, _SETTLE + 10, 0.2)
    figure = f"{_with_record(gateway, sessions)} after {took or -1:.1f} s"
    text = f"live view answers {status} for {count}"
    stage.report.claim(f"{text}: records within settle and 10 s", took is not None, figure)
    took = wait_for(lambda: _closed(gateway, sessions) == count, 60, 0.5)
    stage.report.claim(f"{text}: closed by analytics alone", took is not None, f"{took or -1:.1f} s later")
    simulator.clear_faults()


def _hollow(stage: Stage, simulator: Simulator, gateway: Gateway) -> None:
    """Both views show an end and nobody in it; then the truth."""
    (session,) = _followed(simulator, gateway, 1)
    simulator.fault("lose_events")
    simulator.fault("hollow_answer", conversation=session.conversation)
    simulator.finish(session)
    took = gateway.wait_state(session.conversation, "closed", 3 * _ROUTINE)
    stage.report.claim("an end with nobody in it closes nothing", took is None, took)
    simulator.clear_faults()
    took = gateway.wait_state(session.conversation, "closed", 90)
    view = gateway.view(session.conversation)
    figure = f"{view['outcome']} {took or -1:.1f} s later"
    stage.report.claim("the true answer closes it, logged", view["outcome"] == "logged", figure)


def _followed(simulator: Simulator, gateway: Gateway, count: int) -> list[AgentSession]:
    sessions = simulator.start_many(count)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    return sessions


def _closed(gateway: Gateway, sessions: list[AgentSession]) -> int:
    return sum(view["state"] == "closed" for view in gateway.views(sessions))


def _with_record(gateway: Gateway, sessions: list[AgentSession]) -> int:
    return sum(len(view["records"]) == 1 for view in gateway.views(sessions))


def _bulk_calls(simulator: Simulator) -> list[object]:
    return [call for call in simulator.ledger("calls") if call["path"] == _BULK]
