"""One conversation in events, live view and analytics of the simulator: all three must show the same work."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from genesys_gateway.domain import after_call_work
from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.record import FirstAttemptFacts, Record, Rules, build
from genesys_gateway.genesys import notifications
from genesys_gateway.genesys.analytics import Details, details_from_answer
from genesys_gateway.genesys.live_view import from_answer
from genesys_gateway.reconciliation.evidence import Verdict, completes, finished_acw, judge
from tests.doubles.simulator import Simulated

pytest_plugins = ("simulator_fixture",)

#: A moment up to which analytics are complete whatever happens in these tests: the year 2100 (epoch milliseconds).
LONG_AFTER = 4_102_444_800_000

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


ADDRESSES = {"addressFrom": "c@example.org", "addressTo": "bank@example.org"}
BACK = {"addressFrom": "bank@example.org", "addressTo": "c@example.org"}
DIALLING: dict[str, dict[str, str]] = {
    "inbound": {},
    "by the agent": {"direction": "OUTBOUND"},
    "by a campaign": {"direction": "OUTBOUND", "agentDirection": "INBOUND"},
    "nobody says": {"direction": "UNKNOWN"},
}
MEDIA: dict[str, dict[str, Any]] = {
    "VOICE": {},
    "CALLBACK": {"callbackNumbers": ["+639171234567"]},
    "EMAIL": {"subject": "Invoice"},
    "CHAT": {},
    "VIDEO": {},
    "COBROWSE": {},
    "SCREENSHARE": {},
    "UNKNOWN": {},
}
MESSAGES = [None, "UNKNOWN", "SMS", "WEBMESSAGING", "OPEN", "WHATSAPP", "TELEPATHY"]


def wrapped_up(sim: Simulated, options: dict[str, Any], **wrapup: Any) -> dict[str, Any]:
    """Play a conversation to its end; return it, and its events as `events`."""
    conversation = sim.call(**options)
    events = sim.play(conversation, "wrapup", **{"notes": "asked about an invoice", **wrapup})["events"]
    sim.play(conversation, "end")
    return {**conversation, "events": events}


def assert_alike(sim: Simulated, conversation: dict[str, Any]) -> list[Record]:
    """Compare the records of the events with those of the live view, where it names them, and of analytics."""
    told = {event.record_id: event for event in map(heard, conversation["events"])}
    verdict, details = both_views(sim, conversation)
    late = {event.record_id: event for event in finished_acw(details)}
    assert late.keys() == told.keys()
    for event in (*verdict.finished, *late.values()):
        assert record(event) == record(told[event.record_id])
    return [record(event) for event in told.values()]


def heard(sent: dict[str, Any]) -> AcwEvent:
    read = notifications.parse(orjson.dumps(sent))
    assert isinstance(read, after_call_work.Acw)
    return read.event


def record(event: AcwEvent) -> Record:
    """The record, without its source; its time is the moment of the event, or shortly before, and not compared."""
    known = FirstAttemptFacts(agent_name="Maria Cruz", wrapup_name="Invoice")
    made = build(event.record_id, replace(event, event_time=0), "live", 0, known, Rules())
    return {**made, "body": {name: value for name, value in made["body"].items() if name != "eventSource"}}


#: In the live view the legs of the other media have no direction, so alone they count as inbound.
DIRECTED = ("VOICE", "CALLBACK", "EMAIL", "CHAT")


@pytest.mark.parametrize(
    ("medium", "dialling"),
    [(medium, dialling) for medium in MEDIA for dialling in DIALLING if medium in DIRECTED or "by" not in dialling],
)
def test_all_views_give_the_same_record(sim: Simulated, medium: str, dialling: str) -> None:
    written = medium in ("EMAIL", "CHAT")
    ends = (BACK if DIALLING[dialling].get("direction") == "OUTBOUND" else ADDRESSES) if written else {}
    options = {"mediaType": medium, **MEDIA[medium], **DIALLING[dialling], **ends}
    (made,) = assert_alike(sim, wrapped_up(sim, options))
    assert made["direction"] == ("OUTBOUND" if dialling.startswith("by") else "INBOUND")
    expected = {
        "VOICE": "+639171234567",
        "CALLBACK": "+639171234567",
        "EMAIL": "c@example.org",
        "CHAT": "c@example.org",
    }
    assert made["customerHandle"] == expected.get(medium)


@pytest.mark.parametrize("dialling", ["inbound", "by a campaign"])
@pytest.mark.parametrize("kind", MESSAGES)
def test_all_views_give_the_same_record_of_a_message(sim: Simulated, kind: str | None, dialling: str) -> None:
    ends = BACK if dialling == "by a campaign" else ADDRESSES
    options = {"mediaType": "MESSAGE", "messageType": kind, **DIALLING[dialling], **ends}
    (made,) = assert_alike(sim, wrapped_up(sim, options))
    assert (made["customerHandle"], made["body"]["messageType"]) == (
        "c@example.org",
        None if kind == "UNKNOWN" else kind,
    )


@pytest.mark.parametrize(
    "wrapup",
    [{"notes": ""}, {"notes": None}, {"code": None}, {"durationMs": 0}, {"durationMs": 9500, "segments": 3}],
    ids=str,
)
def test_all_views_give_the_same_wrapup(sim: Simulated, wrapup: dict[str, Any]) -> None:
    assert_alike(sim, wrapped_up(sim, {}, **wrapup))


def test_a_third_person_changes_nothing(sim: Simulated) -> None:
    conversation = sim.call(direction="OUTBOUND", agentDirection="INBOUND")
    sim.play(conversation, "third")
    events = sim.play(conversation, "wrapup")["events"]
    sim.play(conversation, "end")
    (made,) = assert_alike(sim, {**conversation, "events": events})
    assert (made["direction"], made["customerHandle"]) == ("OUTBOUND", "+639171234567")


def test_the_call_of_a_callback_was_dialled_and_the_callback_was_asked_for(sim: Simulated) -> None:
    sent = wrapped_up(sim, {"mediaType": "CALLBACK", "dialled": True, "callbackNumbers": ["+639171234567"]})
    made = assert_alike(sim, sent)
    assert {one["customerHandle"] for one in made} == {"+639171234567"}
    assert {one["body"]["mediaType"]: one["direction"] for one in made} == {"CALLBACK": "INBOUND", "VOICE": "OUTBOUND"}


@pytest.mark.parametrize("state", ["connected", "alerting", "dialing", "contacting", "offering", "parked", "held"])
@pytest.mark.parametrize("medium", ["VOICE", "EMAIL", "MESSAGE"])
def test_a_code_picked_on_the_line_is_no_end_in_any_view(sim: Simulated, medium: str, state: str) -> None:
    conversation = sim.call(mediaType=medium)
    sim.play(conversation, "leg", **({"held": True} if state == "held" else {"state": state}))
    sim.play(conversation, "code", code="K")
    verdict, details = both_views(sim, conversation)
    assert (verdict.finished, verdict.over, verdict.nameable) == ((), False, True)
    assert finished_acw(details, LONG_AFTER) == ()

    sim.play(conversation, "end")
    verdict, details = both_views(sim, conversation)
    assert (verdict.finished, verdict.over, details.acw_pending) == ((), False, True)
    assert finished_acw(details, LONG_AFTER) == ()

    events = sim.play(conversation, "wrapup", code="L", notes="n")["events"]
    (made,) = assert_alike(sim, {**conversation, "events": events})
    assert (made["body"]["wrapUpCode"], made["body"]["wrapUpNotes"]) == ("L", "n")


def test_a_message_that_goes_on_in_its_session_is_wrapped_up_once_more(sim: Simulated) -> None:
    conversation = one_agent(sim, mediaType="MESSAGE", messageType="SMS")
    sim.play(conversation, "resume")
    verdict, details = both_views(sim, conversation)
    assert (verdict.finished, finished_acw(details, LONG_AFTER)) == ((), ())

    sim.play(conversation, "end")
    sim.play(conversation, "wrapup", code="L", notes="m")
    verdict, details = both_views(sim, conversation)
    for event in (*verdict.finished, *finished_acw(details)):
        assert (event.session_id, event.wrapup_code, event.wrapup_notes) == (conversation["sessionId"], "L", "m")
    assert (len(verdict.finished), len(finished_acw(details))) == (1, 1)
