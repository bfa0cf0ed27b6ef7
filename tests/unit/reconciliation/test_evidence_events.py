"""What the evidence of the live view contains: each finished after-call work as an event, field by field."""

import pytest

from genesys_gateway.runtime.clock import parse_iso
from tests.doubles.evidence import verdict_on
from tests.doubles.genesys_answers import (
    ACW_END,
    ACW_START,
    CODE,
    COMPLETE,
    CONVERSATION,
    TWO_HOURS_LATER,
    WRAPUP,
    agent,
    call,
    customer,
)


def test_a_finished_acw_reads_like_its_live_event() -> None:
    caller = customer(ani="tel:+639171234567", dnis="tel:+6328123456", address="tel:+639171234567")
    handler = agent(
        id="298C6BA8-FEC0-428C-9B8F-385B9F80854F",
        userId="8CE2F903-78E6-4B50-B7AA-E1AA7E7C39AC",
        queueId="9A58C219-A109-4A46-A1AF-DD8303F12A5A",
        ani="sip:+639171234567@10.0.0.1;user=phone",
        dnis="sip:5f2885408f05c815b2b570e8@localhost",
        calls=[call(1, COMPLETE)],
        wrapup=WRAPUP,
    )
    (event,) = verdict_on(caller, handler, id=CONVERSATION.upper()).finished
    assert event.conversation_id == CONVERSATION
    assert event.participant_id == "298c6ba8-fec0-428c-9b8f-385b9f80854f"
    assert event.session_id == "session-1"
    assert event.user_id == "8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac"
    assert event.queue_id == "9a58c219-a109-4a46-a1af-dd8303f12a5a"
    assert (event.media_type, event.direction, event.message_type) == ("VOICE", "INBOUND", None)
    assert (event.ani, event.dnis) == ("tel:+639171234567", "tel:+6328123456")
    assert (event.address_from, event.address_to) == (None, None)
    assert (event.wrapup_code, event.wrapup_notes) == (CODE, "asked about an invoice")
    assert event.event_time == parse_iso(ACW_END)
    assert event.wrapup_duration_ms == 43_250


@pytest.mark.parametrize(
    ("medium", "media_type"),
    [
        ("calls", "VOICE"),
        ("callbacks", "CALLBACK"),
        ("chats", "CHAT"),
        ("emails", "EMAIL"),
        ("messages", "MESSAGE"),
        ("cobrowsesessions", "COBROWSE"),
        ("screenshares", "SCREENSHARE"),
        ("videos", "VIDEO"),
        ("socialExpressions", None),
    ],
)
def test_the_list_that_holds_a_communication_is_its_medium(medium: str, media_type: str | None) -> None:
    (event,) = verdict_on(agent(**{medium: [call(1, COMPLETE)]})).finished
    assert event.media_type == media_type


@pytest.mark.parametrize("medium", ["internalMessages", "screenMonitorings"])
def test_media_without_after_call_work_do_not_blur_whose_it_is(medium: str) -> None:
    verdict = verdict_on(agent(calls=[call(1, COMPLETE)], wrapup=WRAPUP, **{medium: [call(2)]}))
    assert (len(verdict.finished), verdict.nameable) == (1, True)


def test_a_message_has_its_kind_and_both_ends() -> None:
    sms = call(
        1,
        COMPLETE,
        type="sms",
        direction="outbound",
        fromAddress={"addressNormalized": "+6328123456", "addressRaw": "028123456"},
        toAddress={"addressNormalized": "", "addressRaw": "+639171234567"},
    )
    (event,) = verdict_on(agent(messages=[sms])).finished
    assert (event.media_type, event.message_type, event.direction) == ("MESSAGE", "SMS", "OUTBOUND")
    assert (event.address_from, event.address_to) == ("+6328123456", "+639171234567")


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("inbound", ("c@example.org", None)), ("outbound", (None, "c@example.org")), (None, ("c@example.org", None))],
)
def test_an_e_mail_takes_the_customers_address(direction: str | None, expected: tuple[str | None, str | None]) -> None:
    email = call(1, COMPLETE, direction=direction, subject="Invoice")
    (event,) = verdict_on(customer(address="c@example.org"), agent(emails=[email])).finished
    assert (event.address_from, event.address_to) == expected
    assert event.subject == "Invoice"


def test_a_callback_keeps_its_numbers() -> None:
    callback = call(1, COMPLETE, callbackNumbers=["+639171234567", 5, "+639170000000"])
    (event,) = verdict_on(agent(callbacks=[callback])).finished
    assert event.callback_numbers == ("+639171234567", "+639170000000")


def test_without_a_customers_participant_the_agents_own_numbers_stand() -> None:
    (event,) = verdict_on(agent(ani="tel:+63917", dnis="tel:+632", calls=[call(1, COMPLETE)])).finished
    assert (event.ani, event.dnis) == ("tel:+63917", "tel:+632")


def test_a_person_called_without_a_queue_is_external_and_the_customer_goes_first() -> None:
    consulted = {"id": "x", "purpose": "external", "dnis": "tel:+1"}
    handler = agent(calls=[call(1, COMPLETE, direction="outbound")])
    (alone,) = verdict_on(consulted, handler).finished
    (beside,) = verdict_on(consulted, customer(dnis="tel:+2"), handler).finished
    assert (alone.dnis, beside.dnis) == ("tel:+1", "tel:+2")


@pytest.mark.parametrize(
    ("acw", "wrapup", "end_acw", "expected"),
    [
        (COMPLETE, {"code": CODE, "endTime": TWO_HOURS_LATER}, TWO_HOURS_LATER, ACW_END),
        ({"state": "complete"}, {"code": CODE, "endTime": ACW_END}, TWO_HOURS_LATER, ACW_END),
        ({"state": "complete"}, {"code": CODE}, TWO_HOURS_LATER, TWO_HOURS_LATER),
        ({"state": "complete"}, None, None, None),
    ],
)
def test_its_time_is_the_end_of_the_after_call_work(
    acw: object, wrapup: object, end_acw: str | None, expected: str | None
) -> None:
    (event,) = verdict_on(agent(calls=[call(1, acw)], wrapup=wrapup, endAcwTime=end_acw)).finished
    assert event.event_time == (parse_iso(expected) if expected else None)


@pytest.mark.parametrize(
    ("acw", "wrapup", "expected"),
    [
        (COMPLETE, WRAPUP, 43_250),
        (COMPLETE, {"code": CODE}, 43_250),
        (COMPLETE, {**WRAPUP, "durationSeconds": 120}, 120_000),
        ({"state": "complete"}, WRAPUP, 43_000),
        ({"state": "complete", "startTime": ACW_START}, WRAPUP, 43_000),
        ({**COMPLETE, "endTime": "2026-11-22T10:05:43Z"}, {**WRAPUP, "durationSeconds": 42}, 42_000),
        ({**COMPLETE, "endTime": ACW_START}, {"code": CODE}, 0),
        ({**COMPLETE, "endTime": "2026-11-22T09:00:00Z"}, WRAPUP, 43_000),
        ({"state": "complete"}, {"code": CODE}, 7_200_000),
    ],
)
def test_its_duration_is_what_the_wrapup_says_refined_by_clocks_that_agree(
    acw: object, wrapup: object, expected: int
) -> None:
    times = {"startAcwTime": ACW_START, "endAcwTime": TWO_HOURS_LATER}
    (event,) = verdict_on(agent(calls=[call(1, acw)], wrapup=wrapup, **times)).finished
    assert event.wrapup_duration_ms == expected


def test_a_communications_own_wrapup_goes_before_the_participants() -> None:
    own = {**WRAPUP, "code": "own-code", "notes": None}
    (event,) = verdict_on(agent(calls=[call(1, COMPLETE, wrapup=own)], wrapup=WRAPUP)).finished
    assert (event.wrapup_code, event.wrapup_notes) == ("own-code", None)
