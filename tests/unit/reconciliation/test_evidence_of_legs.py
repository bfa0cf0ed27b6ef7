"""A wrap-up can be noted while the agent is still on the line: no work is done before its leg has ended."""

from itertools import product
from typing import Any

import pytest

from genesys_gateway.genesys.analytics import Details
from genesys_gateway.reconciliation.evidence import Verdict, all_wrapped_up, completes, finished_acw
from genesys_gateway.runtime.clock import parse_iso
from tests.doubles import analytics_answers as analytics
from tests.doubles.analytics_answers import BEGUN, DONE, LATER, TALK, details_of, session
from tests.doubles.evidence import verdict_on
from tests.doubles.genesys_answers import COMPLETE, NOT_APPLICABLE, PENDING, SKIPPED, WRAPUP, agent, call, customer

MEDIA = ["calls", "callbacks", "chats", "emails", "messages", "cobrowsesessions", "screenshares", "videos"]
GOING_ON = ["alerting", "dialing", "contacting", "offering", "connected", "scheduled", "parked", "CONNECTED"]
OVER = ["disconnected", "terminated", "Disconnected", None, "", "none", 5, ["connected"]]
ACW: list[object] = [None, {}, {"state": "unknown"}, COMPLETE, PENDING, SKIPPED, NOT_APPLICABLE, {"state": "new"}]

NOTHING: set[str] = set()


def named(verdict: Verdict) -> set[str | None]:
    return {event.session_id for event in verdict.finished}


def at_the_leg(medium: str, acw: object, **leg: Any) -> dict[str, Any]:
    return agent(**{medium: [call(1, acw, wrapup=WRAPUP, **leg)]})


def at_the_participant(medium: str, acw: object, **leg: Any) -> dict[str, Any]:
    return agent(**{medium: [call(1, acw, **leg)]}, wrapup=WRAPUP)


@pytest.mark.parametrize("medium", MEDIA)
def test_nothing_is_done_while_the_leg_goes_on(medium: str) -> None:
    for state, acw, wrapped_up in product(GOING_ON, ACW, (at_the_leg, at_the_participant)):
        verdict = verdict_on(customer(), wrapped_up(medium, acw, state=state), endTime=None)
        assert (named(verdict), verdict.over, verdict.nameable) == (NOTHING, False, True), (state, acw, wrapped_up)


@pytest.mark.parametrize("medium", MEDIA)
def test_it_is_done_once_the_leg_is_over_or_says_nothing(medium: str) -> None:
    for state, wrapped_up in product(OVER, (at_the_leg, at_the_participant)):
        verdict = verdict_on(customer(), wrapped_up(medium, COMPLETE, state=state))
        assert (named(verdict), verdict.over) == ({"session-1"}, True), (state, wrapped_up)


@pytest.mark.parametrize("state", ["connected", "alerting", "scheduled"])
@pytest.mark.parametrize("end", [{"disconnectedTime": "2026-11-22T10:05:00Z"}, {"disconnectType": "peer"}, {}])
def test_an_end_of_anything_else_does_not_outweigh_the_state_of_the_leg(state: str, end: dict[str, Any]) -> None:
    handler = agent(calls=[call(1, COMPLETE, state=state, **end)], wrapup=WRAPUP, endTime="2026-11-22T10:05:00Z")
    verdict = verdict_on(customer(), handler)
    assert (named(verdict), verdict.over) == (NOTHING, False)


@pytest.mark.parametrize("state", ["uploading", "converting", "transmitting", "delegated"])
@pytest.mark.parametrize(("end", "done"), [("2026-11-22T10:05:00Z", True), (None, False), ("soon", False)])
def test_in_any_other_state_the_leg_is_over_once_it_shows_when(state: str, end: object, done: bool) -> None:
    verdict = verdict_on(agent(calls=[call(1, COMPLETE, state=state, disconnectedTime=end)], wrapup=WRAPUP))
    assert (named(verdict), verdict.over) == ({"session-1"} if done else NOTHING, done)


@pytest.mark.parametrize(
    ("state", "done"), [(None, False), ("none", False), ("connected", False), ("terminated", True)]
)
def test_a_leg_on_hold_goes_on(state: object, done: bool) -> None:
    verdict = verdict_on(agent(calls=[call(1, COMPLETE, state=state, held=True)], wrapup=WRAPUP))
    assert verdict.over is done


@pytest.mark.parametrize("acw", [None, COMPLETE, {"state": "unknown"}])
@pytest.mark.parametrize("copied", [{}, {"wrapup": WRAPUP}])
def test_a_wrapup_for_all_legs_is_done_when_none_of_them_goes_on(acw: object, copied: dict[str, Any]) -> None:
    ended, connected = call(2, acw, **copied), call(1, acw, state="connected", **copied)
    verdict = verdict_on(agent(callbacks=[connected], calls=[ended], wrapup=WRAPUP), endTime=None)
    assert (named(verdict), verdict.unnamed, verdict.over) == (NOTHING, frozenset(), False)


def test_a_leg_with_its_own_wrapup_does_not_wait_for_another_leg() -> None:
    first, second = call(1, COMPLETE, wrapup=WRAPUP), call(2, state="connected")
    verdict = verdict_on(agent(messages=[first, second]), endTime=None)
    assert (named(verdict), verdict.over) == ({"session-1"}, False)


def test_one_agent_on_the_line_does_not_hold_up_another_who_is_done() -> None:
    done = agent(1, calls=[call(1, COMPLETE)], wrapup=WRAPUP)
    talking = agent(2, calls=[call(2, state="connected")], wrapup=WRAPUP)
    verdict = verdict_on(customer(), done, talking, endTime=None)
    assert (named(verdict), verdict.over) == ({"session-1"}, False)


# Analytics show a leg that goes on by a segment without an end.

ON_THE_LINE = {**TALK, "segmentEnd": None}
#: A code that the agent picked during the call, which ended at 10:05.
PICKED = {**DONE, "segmentStart": "2026-11-22T10:01:00Z", "segmentEnd": "2026-11-22T10:01:20Z"}


def sessions_done(details: Details, complete_until: str | None = None) -> set[str | None]:
    until = parse_iso(complete_until) if complete_until else None
    return {event.session_id for event in finished_acw(details, until)}


def leg(number: int, *segments: dict[str, Any]) -> dict[str, Any]:
    """A session with these segments only."""
    return session(number, segments=segments)


@pytest.mark.parametrize("kind", ["interact", "hold", "alert", "dialing", "parked", None])
@pytest.mark.parametrize("wrapup", [DONE, PICKED])
def test_analytics_show_nothing_done_while_a_segment_has_no_end(kind: object, wrapup: dict[str, Any]) -> None:
    handler = analytics.agent(1, leg(1, {**ON_THE_LINE, "segmentType": kind}, wrapup))
    assert sessions_done(details_of(handler, conversationEnd=None), LATER) == NOTHING


def test_in_a_conversation_that_is_over_no_segment_goes_on() -> None:
    handler = analytics.agent(1, leg(1, ON_THE_LINE, DONE))
    assert sessions_done(details_of(handler)) == {"session-1"}
    assert sessions_done(details_of(analytics.agent(1, leg(1, ON_THE_LINE, PICKED)))) == NOTHING


@pytest.mark.parametrize(
    ("until", "done"),
    [(None, NOTHING), ("2026-11-22T10:04:59Z", NOTHING), ("2026-11-22T10:05:00Z", {"session-1"})],
)
def test_a_code_picked_during_the_call_is_all_there_is_once_analytics_had_the_time_to_learn(
    until: str | None, done: set[str]
) -> None:
    details = details_of(analytics.agent(1, leg(1, TALK, PICKED)))
    assert sessions_done(details, until) == done
    assert all_wrapped_up(details, parse_iso(until) if until else None) is bool(done)
    assert sessions_done(details_of(analytics.agent(1, leg(1, ON_THE_LINE, PICKED))), until) == done


def test_after_the_call_its_after_call_work_counts() -> None:
    assert sessions_done(details_of(analytics.agent(1, leg(1, TALK, PICKED, BEGUN))), LATER) == NOTHING
    assert sessions_done(details_of(analytics.agent(1, leg(1, TALK, PICKED, DONE)))) == {"session-1"}


@pytest.mark.parametrize(("end", "done"), [("10:05:00.999", True), ("10:05:01", False)])
def test_a_talk_that_ends_within_the_same_second_is_no_later(end: str, done: bool) -> None:
    wrapup = {**DONE, "segmentStart": "2026-11-22T10:05:00Z", "segmentEnd": "2026-11-22T10:05:00Z"}
    details = details_of(analytics.agent(1, leg(1, {**TALK, "segmentEnd": f"2026-11-22T{end}Z"}, wrapup)))
    assert bool(sessions_done(details)) is done


def test_a_session_without_a_talk_is_done_by_its_wrapup_alone() -> None:
    assert sessions_done(details_of(analytics.agent(1, leg(1, DONE)))) == {"session-1"}


def test_in_analytics_too_an_agent_on_one_line_is_not_done_on_another() -> None:
    handler = analytics.agent(1, leg(1, TALK, DONE), leg(2, ON_THE_LINE, DONE))
    other = analytics.agent(2, leg(3, TALK, DONE))
    assert sessions_done(details_of(handler, other, conversationEnd=None)) == {"session-3"}


def test_analytics_with_a_code_picked_during_the_call_complete_no_verdict() -> None:
    verdict = Verdict(over=True, finished=(), nameable=False, unnamed=frozenset({"participant-1"}), unclear={})
    picked = details_of(analytics.agent(1, leg(1, TALK, PICKED)))
    assert not completes(picked, verdict)
    assert completes(picked, verdict, parse_iso(LATER))
