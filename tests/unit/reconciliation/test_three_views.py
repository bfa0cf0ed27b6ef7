"""Event, live view and analytics give the same record of the same after-call work: a table of all combinations."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from genesys_gateway.domain.after_call_work import Acw, AcwEvent
from genesys_gateway.domain.record import FirstAttemptFacts, Record, Rules, build
from genesys_gateway.genesys import notifications
from genesys_gateway.genesys.analytics import details_from_answer
from genesys_gateway.genesys.live_view import from_answer
from genesys_gateway.reconciliation.evidence import finished_acw, judge
from tests.doubles import three_views
from tests.doubles.three_views import LISTS, MAIL, Case

MESSAGE_TYPES = [
    *(None, "UNKNOWN", "SMS", "WEBMESSAGING", "OPEN", "WHATSAPP", "FACEBOOK", "TWITTER", "LINE"),
    *("INSTAGRAM", "APPLE", "LINKEDIN", "TELEPATHY"),
]
DIALLING = ["inbound", "manual", "campaign", "unknown"]
_HANDLES = {"VOICE": "+639171234567", "CALLBACK": "+639171234567", "EMAIL": MAIL, "MESSAGE": MAIL}


def cases() -> Iterator[Case]:
    """Every medium in every direction, with each of the ways in which Genesys may show it; then one field at a time."""
    for media, dialling, who, peer, where in product(
        LISTS, DIALLING, ("customer", "external", "customer+external"), (True, False), ("participant", "leg", "end")
    ):
        yield Case(media=media, dialling=dialling, who=who, peer=peer, where=where)
    plain = [Case(media=media, dialling=dialling) for media, dialling in product(LISTS, DIALLING)]
    changes: dict[str, list[Any]] = {"code": [None, "", "ININ-WRAP-UP-TIMEOUT"], "notes": [None, ""], "queue": [None]}
    for case, (name, values) in product(plain, changes.items()):
        yield from (replace(case, **{name: value}) for value in values)
    for message_type, dialling in product(MESSAGE_TYPES, DIALLING):
        yield Case(media="MESSAGE", dialling=dialling, message_type=message_type)
    for subject, dialling in product(("My card", "", "  "), DIALLING):
        yield Case(media="EMAIL", dialling=dialling, subject=subject)
    for numbers, dialling in product((("+639170000001", "+639170000002"), ("",), ()), DIALLING):
        yield Case(media="CALLBACK", dialling=dialling, callback_numbers=numbers)


def record(event: AcwEvent, source: str) -> Record:
    known = FirstAttemptFacts(agent_name="Maria Cruz", wrapup_name="Invoice", customer_id="customer")
    made = build(event.record_id, event, source, 0, known, Rules(domain_by_queue={"queue": "CARDS"}))
    assert made["body"].pop("eventSource") == source
    return made


def of_event(case: Case) -> AcwEvent:
    read = notifications.parse(three_views.event(case))
    assert isinstance(read, Acw)
    assert read.dropped == ()
    return read.event


def of_live_view(case: Case) -> AcwEvent:
    verdict = judge(from_answer(three_views.live_view(case)))
    assert (verdict.over, verdict.nameable) == (True, True)
    (event,) = verdict.finished
    return event


def of_analytics(case: Case) -> AcwEvent:
    (details,) = details_from_answer(three_views.analytics(case))
    (event,) = finished_acw(details)
    return event


@pytest.mark.parametrize("dialling", DIALLING)
@pytest.mark.parametrize("media", LISTS)
def test_all_views_give_the_same_record(media: str, dialling: str) -> None:
    some = [case for case in cases() if (case.media, case.dialling) == (media, dialling)]
    assert len(some) >= 24
    for case in some:
        told = record(of_event(case), "live")
        assert record(of_live_view(case), "backfill") == told, case
        assert record(of_analytics(case), "backfill") == told, case
        assert_says(told, case)


def assert_says(told: Record, case: Case) -> None:
    """Compare the record with the case itself, so that the views can't be wrong together."""
    handle = "+639170000001" if case.callback_numbers and case.callback_numbers[0] else _HANDLES.get(case.media)
    assert (told["direction"], told["customerHandle"]) == ("OUTBOUND" if case.outbound else "INBOUND", handle), case
    body = told["body"]
    assert body["mediaType"] == (None if case.media == "UNKNOWN" else case.media)
    assert body["messageType"] == (None if case.message_type == "UNKNOWN" else case.message_type)
    assert (body["wrapUpCode"], body["wrapUpNotes"]) == (case.code or None, case.notes or None)
    assert (body["queueId"], body["afterCallWorkMs"]) == (case.queue, three_views.DURATION_MS)
