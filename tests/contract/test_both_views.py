"""One conversation in events, live view and analytics of the simulator: all three must show the same work."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from genesys_gateway.domain import after_call_work
from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys import notifications
from genesys_gateway.genesys.analytics import Details, details_from_answer
from genesys_gateway.genesys.live_view import from_answer
from genesys_gateway.reconciliation.evidence import Verdict, completes, finished_acw, judge
from tests.doubles.simulator import Simulated

pytest_plugins = ("simulator_fixture",)

Story = Callable[[Simulated], dict[str, Any]]


def one_agent(sim: Simulated, **options: Any) -> dict[str, Any]:
    conversation = sim.call(**options)
    sim.play(conversation, "wrapup", notes="asked about an invoice")
    sim.play(conversation, "end")
    return conversation


def a_transfer(sim: Simulated) -> dict[str, Any]:
    conversation = sim.call()
    sim.play(conversation, "transfer")
    sim.play(conversation, "wrapup")
    sim.play(conversation, "end")
    sim.play(conversation, "wrapup")
    return conversation


def a_consult(sim: Simulated) -> dict[str, Any]:
    conversation = sim.call()
    sim.play(conversation, "consult")
    sim.play(conversation, "end")
    sim.play(conversation, "wrapup")
    sim.play(conversation, "wrapup", code=None)
    return conversation


def one_skips(sim: Simulated) -> dict[str, Any]:
    conversation = sim.call()
    sim.play(conversation, "transfer")
    sim.play(conversation, "skip")
    sim.play(conversation, "end")
    sim.play(conversation, "wrapup", code="ININ-WRAP-UP-TIMEOUT")
    return conversation


def a_reopened_message(sim: Simulated) -> dict[str, Any]:
    conversation = one_agent(sim, mediaType="MESSAGE", messageType="SMS")
    sim.play(conversation, "reopen")
    sim.play(conversation, "end")
    sim.play(conversation, "wrapup")
    return conversation


def no_acw_at_all(sim: Simulated) -> dict[str, Any]:
    conversation = sim.call(acw=False)
    sim.play(conversation, "end")
    return conversation


def a_callback(sim: Simulated) -> dict[str, Any]:
    return one_agent(sim, mediaType="CALLBACK", dialled=True, callbackNumbers=["+639171234567"])


def a_draft(sim: Simulated) -> dict[str, Any]:
    conversation = sim.call()
    sim.play(conversation, "draft")
    sim.play(conversation, "end")
    return conversation


def not_wrapped_up(sim: Simulated) -> dict[str, Any]:
    conversation = a_transfer_without_an_end(sim)
    sim.play(conversation, "end")
    return conversation


def a_transfer_without_an_end(sim: Simulated) -> dict[str, Any]:
    conversation = sim.call()
    sim.play(conversation, "transfer")
    sim.play(conversation, "wrapup")
    return conversation


OVER: list[Story] = [
    *(one_agent, a_transfer, a_consult, one_skips, a_reopened_message, no_acw_at_all, a_callback),
]
NOT_OVER: list[Story] = [a_draft, not_wrapped_up, a_transfer_without_an_end]


def announced(sim: Simulated) -> set[str]:
    """Record ids of the work that is finished according to the simulator's ledger."""
    return {after_call_work.record_id(one["recordKey"]) for one in sim.sim("GET", "ledger")["finished"]}


def both_views(sim: Simulated, conversation: dict[str, Any]) -> tuple[Verdict, Details]:
    live = orjson.dumps(sim.rest_of(conversation))
    (details,) = details_from_answer(sim.analytics_of(conversation).content)
    return judge(from_answer(live)), details


def ids(found: tuple[AcwEvent, ...]) -> set[str]:
    return {event.record_id for event in found}


@pytest.fixture(autouse=True)
def _without_lag(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})


@pytest.mark.parametrize("story", OVER)
def test_an_end_is_proved_by_both_views_together_and_names_what_was_announced(sim: Simulated, story: Story) -> None:
    conversation = story(sim)
    verdict, details = both_views(sim, conversation)
    assert verdict.over
    assert ids(finished_acw(details)) == announced(sim)
    assert ids(verdict.finished) <= announced(sim)
    if verdict.nameable:
        assert ids(verdict.finished) == announced(sim)
    else:
        assert completes(details, verdict)


@pytest.mark.parametrize("story", NOT_OVER)
def test_what_goes_on_is_not_over_but_names_what_is_done(sim: Simulated, story: Story) -> None:
    verdict, details = both_views(sim, story(sim))
    assert not verdict.over
    assert ids(verdict.finished) == ids(finished_acw(details)) == announced(sim)


def test_a_callback_is_named_by_analytics_alone(sim: Simulated) -> None:
    verdict, details = both_views(sim, a_callback(sim))
    assert (verdict.finished, verdict.nameable, len(verdict.unnamed)) == ((), False, 1)
    assert {event.media_type for event in finished_acw(details)} == {"CALLBACK", "VOICE"}


def test_analytics_that_lag_behind_complete_nothing(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 30})
    conversation = a_callback(sim)
    verdict = judge(from_answer(orjson.dumps(sim.rest_of(conversation))))
    reply = sim.api("GET", f"analytics/conversations/details?id={conversation['conversationId']}")
    assert not any(completes(details, verdict) for details in details_from_answer(reply.content))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"direction": "OUTBOUND"},
        {"mediaType": "EMAIL", "subject": "Invoice", "addressFrom": "c@example.org", "addressTo": "bank@example.org"},
        {"mediaType": "MESSAGE", "messageType": "SMS", "addressFrom": "+639171234567", "addressTo": "+6328888777"},
    ],
    ids=["voice in", "voice out", "e-mail", "sms"],
)
def test_a_backfill_says_what_the_event_said(sim: Simulated, options: dict[str, Any]) -> None:
    conversation = sim.call(**options)
    sent = sim.play(conversation, "wrapup", notes="asked about an invoice")["event"]
    sim.play(conversation, "end")
    live = notifications.parse(orjson.dumps(sent))
    assert isinstance(live, after_call_work.Acw)
    verdict, details = both_views(sim, conversation)
    ((late,), (named,)) = finished_acw(details), verdict.finished
    assert alike(late, live.event)
    # Not every answer of the live view shows the addresses of written media.
    assert alike(replace(named, address_from=late.address_from, address_to=late.address_to), live.event)


def alike(backfilled: AcwEvent, live: AcwEvent) -> bool:
    """Whether both are equal, except that a backfill's time is the end of the work and its duration may be rounded.

    The rounding is to whole seconds.
    """
    durations = (backfilled.wrapup_duration_ms or 0, live.wrapup_duration_ms or 0)
    same = replace(backfilled, event_time=live.event_time, wrapup_duration_ms=live.wrapup_duration_ms) == live
    return same and abs(durations[0] - durations[1]) < 1000
