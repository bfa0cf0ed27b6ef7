"""How an event becomes a communication record, field by field."""

from typing import Any

import pytest

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.record import FirstAttemptFacts, Record, Rules, build
from genesys_gateway.domain.record_schema import mistakes

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
PARTICIPANT = "298c6ba8-fec0-428c-9b8f-385b9f80854f"
SESSION = "aba6f468-0377-4258-b016-71884bca5d38"
CUSTOMER = "11111111-2222-4333-8444-555555555555"
AGENT = "8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac"
CODE = "7fb334b0-0e9e-11e4-9191-0800200c9a66"
QUEUE = "9a58c219-a109-4a46-a1af-dd8303f12a5a"
RECORD = "ba64499a-19bd-52da-85ab-8a99e663314a"
RECEIVED_AT = 1_763_805_600_000
NOTHING = FirstAttemptFacts()
DEFAULT = Rules()


def record(*, source: str = "live", known: FirstAttemptFacts = NOTHING, rules: Rules = DEFAULT, **event: Any) -> Record:
    acw = AcwEvent(conversation_id=CONVERSATION, participant_id=PARTICIPANT, session_id=SESSION, **event)
    made = build(RECORD, acw, source, RECEIVED_AT, known, rules)
    assert mistakes(made) == ()
    return made


def test_a_whole_event_gives_the_whole_record() -> None:
    made = record(
        event_time=1_757_114_402_112,
        media_type="VOICE",
        direction="INBOUND",
        ani="tel:+33123456789",
        dnis="tel:+33987654321",
        user_id=AGENT,
        queue_id=QUEUE,
        wrapup_code=CODE,
        wrapup_notes="Asked about an invoice",
        wrapup_duration_ms=43_250,
        known=FirstAttemptFacts(agent_name="Maria Cruz", wrapup_name="Invoice", customer_id=CUSTOMER),
        rules=Rules(domain_by_queue={QUEUE: "LOANS"}),
    )

    assert made == {
        "id": RECORD,
        "direction": "INBOUND",
        "communicatedAt": "2025-09-05T23:20:02.112Z",
        "source": "GENESYS",
        "channel": "VOICE",
        "domain": "LOANS",
        "customerId": CUSTOMER,
        "customerHandle": "+33123456789",
        "interactionId": CONVERSATION,
        "purpose": "Invoice",
        "title": "Inbound voice call, handled by Maria Cruz",
        "body": {
            "agentId": AGENT,
            "agentName": "Maria Cruz",
            "wrapUpCode": CODE,
            "wrapUpName": "Invoice",
            "wrapUpNotes": "Asked about an invoice",
            "afterCallWorkMs": 43_250,
            "mediaType": "VOICE",
            "messageType": None,
            "queueId": QUEUE,
            "participantId": PARTICIPANT,
            "sessionId": SESSION,
            "eventSource": "live",
        },
    }


def test_an_event_with_nothing_but_its_conversation_still_gives_a_valid_record() -> None:
    made = build(RECORD, AcwEvent(conversation_id=CONVERSATION), "backfill", RECEIVED_AT, FirstAttemptFacts(), Rules())

    assert mistakes(made) == ()
    assert made["communicatedAt"] == "2025-11-22T10:00:00.000Z"
    assert made["title"] == "Inbound interaction"
    assert made["purpose"] == "Unspecified"
    assert made["channel"] == made["domain"] == "OTHER"
    assert made["customerId"] is made["customerHandle"] is None
    assert made["body"] == dict.fromkeys(made["body"]) | {"eventSource": "backfill"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [("INBOUND", "INBOUND"), ("OUTBOUND", "OUTBOUND"), ("UNKNOWN", "INBOUND"), (None, "INBOUND"), ("NEW", "INBOUND")],
)
def test_the_direction_is_inbound_unless_it_is_outbound(given: str | None, expected: str) -> None:
    assert record(direction=given)["direction"] == expected


@pytest.mark.parametrize("field", ["mediaType", "messageType"])
@pytest.mark.parametrize(
    ("given", "told"), [("UNKNOWN", None), ("", None), (None, None), ("SMS", "SMS"), ("HOLOGRAM", "HOLOGRAM")]
)
def test_what_is_unknown_to_genesys_is_null_in_the_body(field: str, given: str | None, told: str | None) -> None:
    event: dict[str, Any] = {"media_type" if field == "mediaType" else "message_type": given}
    assert record(**event)["body"][field] == told
    assert record(source="supportResult", **event)["body"][field] == told


@pytest.mark.parametrize(("given", "told"), [("", None), (None, None), (" ", " "), ("n", "n")])
def test_empty_notes_are_none(given: str | None, told: str | None) -> None:
    assert record(wrapup_notes=given)["body"]["wrapUpNotes"] == told


@pytest.mark.parametrize(
    ("media", "message", "channel"),
    [
        ("VOICE", None, "VOICE"),
        ("CALLBACK", None, "VOICE"),
        ("EMAIL", None, "EMAIL"),
        ("CHAT", None, "CHAT"),
        ("MESSAGE", "SMS", "SMS"),
        ("MESSAGE", "WEBMESSAGING", "APP_CHAT"),
        ("MESSAGE", "OPEN", "APP_CHAT"),
        ("MESSAGE", "UNKNOWN", "SOCIAL_MEDIA"),
        ("MESSAGE", "TWITTER", "SOCIAL_MEDIA"),
        ("MESSAGE", "FACEBOOK", "SOCIAL_MEDIA"),
        ("MESSAGE", "LINE", "SOCIAL_MEDIA"),
        ("MESSAGE", "WHATSAPP", "SOCIAL_MEDIA"),
        ("MESSAGE", "INSTAGRAM", "SOCIAL_MEDIA"),
        ("MESSAGE", "APPLE", "SOCIAL_MEDIA"),
        ("MESSAGE", "LINKEDIN", "SOCIAL_MEDIA"),
        ("MESSAGE", "NEXT_YEARS_NETWORK", "SOCIAL_MEDIA"),
        ("MESSAGE", None, "SOCIAL_MEDIA"),
        ("VOICE", "SMS", "VOICE"),
        ("VIDEO", None, "VIDEO"),
        ("COBROWSE", None, "COBROWSE"),
        ("SCREENSHARE", None, "SCREENSHARE"),
        ("UNKNOWN", None, "OTHER"),
        ("INTERNALMESSAGE", None, "OTHER"),
        ("SCREENMONITORING", None, "OTHER"),
        ("HOLOGRAM", None, "OTHER"),
        (None, None, "OTHER"),
        (None, "SMS", "OTHER"),
    ],
)
def test_the_channel_follows_media_and_message_type(media: str | None, message: str | None, channel: str) -> None:
    assert record(media_type=media, message_type=message)["channel"] == channel


ADDRESSES = {"ani": "+6328100001", "dnis": "+6328100002", "address_from": "from@bank", "address_to": "to@bank"}
NUMBERS = ("+639170000001", "+639170000002")


@pytest.mark.parametrize(
    ("event", "handle"),
    [
        ({"media_type": "CALLBACK", "callback_numbers": NUMBERS}, "+639170000001"),
        ({"media_type": "CALLBACK", "callback_numbers": NUMBERS, "direction": "OUTBOUND"}, "+639170000001"),
        ({"media_type": "CALLBACK", "callback_numbers": NUMBERS[:1]}, "+639170000001"),
        ({"media_type": "CALLBACK", "callback_numbers": ("", NUMBERS[1])}, "+6328100001"),
        ({"media_type": "CALLBACK"}, "+6328100001"),
        ({"media_type": "CALLBACK", "direction": "OUTBOUND"}, "+6328100002"),
        ({"media_type": "VOICE", "callback_numbers": NUMBERS}, "+6328100001"),
        ({"direction": "INBOUND"}, "+6328100001"),
        ({"direction": "UNKNOWN"}, "+6328100001"),
        ({"direction": None}, "+6328100001"),
        ({"direction": "INBOUND", "ani": None}, "from@bank"),
        ({"direction": "INBOUND", "ani": ""}, "from@bank"),
        ({"direction": "INBOUND", "ani": None, "address_from": None}, None),
        ({"direction": "OUTBOUND"}, "+6328100002"),
        ({"direction": "OUTBOUND", "dnis": None}, "to@bank"),
        ({"direction": "OUTBOUND", "dnis": None, "address_to": None}, None),
        ({"direction": "OUTBOUND", "source": "supportResult"}, "+6328100001"),
        ({"direction": "INBOUND", "source": "supportResult"}, "+6328100001"),
    ],
)
def test_the_customer_is_the_other_end_of_the_line(event: dict[str, Any], handle: str | None) -> None:
    assert record(**{**ADDRESSES, **event})["customerHandle"] == handle


@pytest.mark.parametrize(
    ("address", "handle"),
    [
        ("tel:+33123456789", "+33123456789"),
        ("TEL:+33 1 23 45 67 89", "+33123456789"),
        ("tel:+6328123456;ext=12", "+6328123456"),
        ("sip:+639171234567@sbc.bank.example;user=phone", "+639171234567"),
        ("sip:09171234567@10.0.0.1:5060", "+639171234567"),
        ("sips:maria.cruz@pbx.example", "maria.cruz"),
        ("sip:anonymous@anonymous.invalid", "anonymous"),
        ("sip:maria@home@pbx.example", "maria"),
        ("tel:maria@home", "maria@home"),
        ("+639171234567", "+639171234567"),
        ("0917 123 4567", "+639171234567"),
        ("(02) 8123-4567", "+63281234567"),
        ("639171234567", "+639171234567"),
        ("  +639171234567 ", "+639171234567"),
        ("1001", "1001"),
        ("sip:1001@pbx.example", "1001"),
        ("+999123456789", "+999123456789"),
        ("+63 1001", "+631001"),
        ("anonymous", "anonymous"),
        ("maria1234567890@bank.example", "maria1234567890@bank.example"),
        ("24012345678901234", "24012345678901234"),
        ("f4c1:0917", "f4c1:0917"),
        ("sip:@pbx.example", None),
        ("tel:", None),
        ("   ", None),
    ],
)
def test_an_address_loses_its_scheme_and_a_phone_number_becomes_e164(address: str, handle: str | None) -> None:
    assert record(media_type="VOICE", ani=address)["customerHandle"] == handle


def test_a_number_without_country_code_is_read_as_the_default_countrys() -> None:
    assert record(ani="01 23 45 67 89", rules=Rules(default_country="FR"))["customerHandle"] == "+33123456789"


@pytest.mark.parametrize(
    ("code", "name", "purpose"),
    [
        (CODE, "Invoice", "Invoice"),
        (CODE, None, CODE),
        ("ININ-WRAP-UP-TIMEOUT", None, "ININ-WRAP-UP-TIMEOUT"),
        (None, None, "Unspecified"),
        ("", None, "Unspecified"),
    ],
)
def test_the_purpose_is_the_best_name_of_the_wrapup_code(code: str | None, name: str | None, purpose: str) -> None:
    assert record(wrapup_code=code, known=FirstAttemptFacts(wrapup_name=name))["purpose"] == purpose


@pytest.mark.parametrize(
    ("media", "words"),
    [
        ("VOICE", "voice call"),
        ("CALLBACK", "callback"),
        ("EMAIL", "e-mail"),
        ("CHAT", "chat"),
        ("MESSAGE", "message"),
        ("VIDEO", "video call"),
        ("COBROWSE", "co-browsing"),
        ("SCREENSHARE", "screen share"),
        ("UNKNOWN", "interaction"),
        ("INTERNALMESSAGE", "interaction"),
        (None, "interaction"),
    ],
)
def test_the_title_says_direction_media_and_agent(media: str | None, words: str) -> None:
    maria = FirstAttemptFacts(agent_name="Maria Cruz")

    assert record(media_type=media, known=maria)["title"] == f"Inbound {words}, handled by Maria Cruz"
    assert record(media_type=media, direction="OUTBOUND", known=maria)["title"].startswith(f"Outbound {words}, ")
    assert record(media_type=media)["title"] == f"Inbound {words}"


@pytest.mark.parametrize("subject", ["", "   ", None])
def test_a_blank_subject_is_no_title(subject: str | None) -> None:
    assert record(media_type="EMAIL", subject=subject)["title"] == "Inbound e-mail"


def test_a_subject_is_the_title() -> None:
    assert record(subject="Card lost", known=FirstAttemptFacts(agent_name="Maria Cruz"))["title"] == "Card lost"


@pytest.mark.parametrize("queue", [None, "another-queue"])
def test_a_queue_without_a_domain_is_other(queue: str | None) -> None:
    assert record(queue_id=queue, rules=Rules(domain_by_queue={QUEUE: "LOANS"}))["domain"] == "OTHER"


def test_what_is_known_survives_being_stored() -> None:
    known = FirstAttemptFacts(agent_name="Ñ\u0000", wrapup_name=None, customer_id=CUSTOMER)

    assert FirstAttemptFacts.from_json(known.to_json()) == known
    assert "\u0000" not in known.to_json()


def test_stored_facts_of_a_newer_version_are_read_without_what_this_one_does_not_know() -> None:
    newer = '{"agent_name":"Maria Cruz","wrapup_name":null,"customer_id":null,"agent_email":"m@bank.test"}'

    assert FirstAttemptFacts.from_json(newer) == FirstAttemptFacts(agent_name="Maria Cruz")
    assert FirstAttemptFacts.from_json("{}") == FirstAttemptFacts()


@pytest.mark.parametrize(
    ("text", "error"), [("", ValueError), ("{", ValueError), ("null", TypeError), ("[]", TypeError), ("7", TypeError)]
)
def test_stored_facts_that_are_no_json_object_raise(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        FirstAttemptFacts.from_json(text)


@pytest.mark.parametrize("name", ["M" * 10_000, "Maria\x00\x07\tCruz", "\u202e\U0001f600", "\x00"])
def test_an_odd_name_makes_a_valid_record(name: str) -> None:
    made = record(media_type="VOICE", known=FirstAttemptFacts(agent_name=name, wrapup_name=name))

    assert mistakes(made) == ()
    assert made["body"]["agentName"] == made["purpose"] == name
