"""Which leg a backfilled event takes direction and addresses from, where the legs do not say the same."""

from typing import Any

import pytest

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.reconciliation.evidence import finished_acw
from tests.doubles import analytics_answers as analytics
from tests.doubles.analytics_answers import DONE, details_of, session
from tests.doubles.evidence import verdict_on
from tests.doubles.genesys_answers import COMPLETE, WRAPUP, agent, call, customer

CUSTOMER, BANK, THIRD = "tel:+639171234567", "tel:+63288887777", "tel:+639990000000"
INBOUND = {"direction": "inbound", "ani": CUSTOMER, "dnis": BANK}
OUTBOUND = {"direction": "outbound", "ani": BANK, "dnis": CUSTOMER}


def live(*others: dict[str, Any], **leg: Any) -> AcwEvent:
    """The event of an agent's call with these fields, beside these other participants."""
    (event,) = verdict_on(*others, agent(calls=[call(1, COMPLETE, **leg)], wrapup=WRAPUP, dnis="sip:station")).finished
    return event


def late(*others: dict[str, Any], originating: str | None = None, **more: Any) -> AcwEvent:
    """The event of an agent's session with these fields, beside these other participants."""
    handler = analytics.agent(1, session(1, DONE, **more))
    (event,) = finished_acw(details_of(*others, handler, originatingDirection=originating))
    return event


def talker(*sessions: dict[str, Any], purpose: str = "customer") -> dict[str, Any]:
    """Someone without a user, in analytics."""
    return {"participantId": "x", "purpose": purpose, "sessions": list(sessions)}


def voice(number: int, **more: Any) -> dict[str, Any]:
    return {"sessionId": f"leg-{number}", "mediaType": "voice", **more}


@pytest.mark.parametrize("theirs", ["inbound", "outbound", "INBOUND"])
@pytest.mark.parametrize("own", ["inbound", "outbound", None, "sideways"])
def test_the_customers_leg_says_who_called_whom(theirs: str, own: str | None) -> None:
    assert live(customer(calls=[{"direction": theirs}]), direction=own).direction == theirs.upper()
    assert late(talker(voice(1, direction=theirs)), direction=own).direction == theirs.upper()


@pytest.mark.parametrize("silent", [None, "unknown", "sideways", 5])
def test_where_the_customers_leg_does_not_say_the_agents_does(silent: object) -> None:
    assert live(customer(calls=[{"direction": silent}]), direction="outbound").direction == "OUTBOUND"
    assert late(talker(voice(1, direction=silent)), direction="outbound", originating="inbound").direction == "OUTBOUND"


@pytest.mark.parametrize("theirs", ["inbound", None])
@pytest.mark.parametrize("own", ["inbound", None])
def test_a_conversation_that_began_outbound_is_outbound_in_analytics(theirs: str | None, own: str | None) -> None:
    assert late(talker(voice(1, direction=theirs)), direction=own, originating="outbound").direction == "OUTBOUND"
    assert late(direction=own, originating="outbound").direction == "OUTBOUND"


def test_without_any_leg_the_origin_decides() -> None:
    assert late(originating="inbound").direction == "INBOUND"
    assert late().direction is None
    assert late(originating="sideways").direction is None


def test_a_customer_who_answers_an_outbound_message_is_still_its_customer() -> None:
    reply = {"sessionId": "leg-1", "mediaType": "message", "direction": "inbound", "addressFrom": "c", "addressTo": "b"}
    event = late(talker(reply), mediaType="message", originating="outbound")
    assert (event.direction, event.address_to, event.address_from) == ("OUTBOUND", "c", "b")


def test_the_ends_of_a_leg_that_came_in_are_turned_where_the_conversation_went_out() -> None:
    event = late(talker(voice(1, **INBOUND)), originating="outbound")
    assert (event.dnis, event.ani) == (CUSTOMER, BANK)


def test_addresses_come_from_the_customers_leg_then_the_agents_then_the_participant() -> None:
    sender = {"fromAddress": {"addressNormalized": "sender"}}

    def message(other: dict[str, Any], own: dict[str, Any]) -> tuple[str | None, str | None]:
        handler = agent(messages=[call(1, COMPLETE, **own)], wrapup=WRAPUP, ani="station")
        (event,) = verdict_on(customer(address="opaque", messages=[other]), handler).finished
        return event.ani, event.address_from

    assert message(sender, {"fromAddress": {"addressNormalized": "other"}}) == (None, "sender")
    assert message({}, sender) == (None, "sender")
    assert message({}, {}) == (None, "opaque")


def test_a_caller_of_whom_only_an_address_is_shown_has_this_number() -> None:
    event = live(customer(address=CUSTOMER), direction="inbound")
    assert (event.ani, event.dnis, event.address_from) == (CUSTOMER, None, None)


def test_of_a_callback_the_call_is_outbound_and_the_callback_inbound() -> None:
    legs = talker(voice(1, **OUTBOUND), {"sessionId": "leg-2", "mediaType": "callback", "direction": "inbound"})
    dialled = late(legs, originating="inbound", direction="outbound")
    asked = late(legs, originating="inbound", mediaType="callback", callbackNumbers=[CUSTOMER])
    assert (dialled.direction, dialled.dnis) == ("OUTBOUND", CUSTOMER)
    assert (asked.direction, asked.callback_numbers) == ("INBOUND", (CUSTOMER,))

    both = customer(calls=[OUTBOUND], callbacks=[{"direction": "inbound", "callbackNumbers": [CUSTOMER]}])
    handler = agent(callbacks=[call(1, COMPLETE, wrapup=WRAPUP)], calls=[call(2, COMPLETE, wrapup=WRAPUP)])
    by_medium = {event.media_type: event for event in verdict_on(both, handler).finished}
    assert (by_medium["VOICE"].direction, by_medium["VOICE"].dnis) == ("OUTBOUND", CUSTOMER)
    assert (by_medium["CALLBACK"].direction, by_medium["CALLBACK"].callback_numbers) == ("INBOUND", (CUSTOMER,))


def test_a_leg_in_another_medium_shows_addresses_but_no_direction() -> None:
    event = live(customer(dnis=CUSTOMER, callbacks=[{"direction": "inbound"}]), direction="outbound")
    assert (event.direction, event.dnis) == ("OUTBOUND", CUSTOMER)


def test_a_medium_without_directions_has_that_of_the_call_beside_it() -> None:
    others = customer(cobrowsesessions=[{"id": "leg-1"}], calls=[{"id": "leg-2", "direction": "outbound"}])
    (event,) = verdict_on(others, agent(cobrowsesessions=[call(1, COMPLETE, direction=None)], wrapup=WRAPUP)).finished
    assert event.direction == "OUTBOUND"


def test_of_several_customers_the_one_the_agents_leg_names_counts() -> None:
    first, second = voice(1, direction="inbound", ani=THIRD), voice(2, direction="inbound", ani=CUSTOMER)
    assert late(talker(first), talker(second), peerId="LEG-2").ani == CUSTOMER
    assert late(talker(first, second), peerId="leg-2").ani == CUSTOMER
    assert late(talker(first), talker(second)).ani == THIRD
    others = [customer(calls=[{"id": f"leg-{n}", "ani": ani}]) for n, ani in ((1, THIRD), (2, CUSTOMER))]
    assert live(*others, peerId="leg-2").ani == CUSTOMER


def test_a_third_person_is_not_the_customer_even_if_the_agents_leg_names_it() -> None:
    third = talker(voice(9, **{**OUTBOUND, "dnis": THIRD}), purpose="external")
    assert late(third, talker(voice(1, **INBOUND)), peerId="leg-9").ani == CUSTOMER
    person = {"id": "x", "purpose": "external", "calls": [{"id": "leg-9", "direction": "outbound", "dnis": THIRD}]}
    event = live(person, customer(ani=CUSTOMER, calls=[{"id": "leg-1", "direction": "inbound"}]), peerId="leg-9")
    assert (event.direction, event.ani) == ("INBOUND", CUSTOMER)


@pytest.mark.parametrize("purpose", ["ivr", "acd", "workflow", "outbound", "dialer", "campaign", "station", None, 5])
def test_nobody_else_is_the_customer(purpose: object) -> None:
    other = {"id": "x", "purpose": purpose, "ani": THIRD, "calls": [{"direction": "outbound", "dnis": THIRD}]}
    assert live(other, direction="inbound").direction == "INBOUND"
    queue = {**talker(voice(1, **{**OUTBOUND, "dnis": THIRD})), "purpose": purpose}
    assert late(queue, direction="inbound", ani=CUSTOMER).ani == CUSTOMER


@pytest.mark.parametrize(
    "shown", [{"dnis": CUSTOMER}, {"calls": [{"dnis": CUSTOMER}]}, {"calls": [{"self": {"addressRaw": CUSTOMER}}]}]
)
def test_the_telephone_of_the_agent_is_not_the_number_that_was_dialled(shown: dict[str, Any]) -> None:
    assert live(customer(**shown), direction="outbound").dnis == CUSTOMER
    assert live(customer(address=CUSTOMER, ani=BANK), direction="outbound").dnis == CUSTOMER
    assert live(customer(), direction="outbound").dnis == "sip:station"


@pytest.mark.parametrize("wrong", [{"calls": "none"}, {"calls": [None, 5]}, {"ani": 5}, {"calls": [{"self": []}]}])
def test_nothing_about_the_customer_makes_an_answer_unreadable(wrong: dict[str, Any]) -> None:
    assert live(customer(**wrong), direction="outbound").direction == "OUTBOUND"
    assert late({**talker(), "sessions": "none"}, direction="outbound").direction == "OUTBOUND"


def test_a_conversation_of_many_legs_is_searched_once() -> None:
    sessions = [session(number, DONE, peerId=f"leg-{number}") for number in range(500)]
    legs = [voice(number, direction="inbound", ani=f"tel:+63917{number:07}") for number in range(500)]
    events = finished_acw(details_of(talker(*legs), analytics.agent(1, *sessions), conversationEnd=None))
    assert [event.ani for event in events] == [leg["ani"] for leg in legs]
