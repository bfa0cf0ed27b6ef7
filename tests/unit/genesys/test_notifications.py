"""Every frame, whatever it holds, becomes a frozen notification."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesys_gateway.domain.after_call_work import Acw, AcwEvent, Unreadable
from genesys_gateway.genesys.notifications import (
    Closing,
    Heartbeat,
    NoLongerSubscribed,
    OtherNotice,
    Reply,
    TokenRevoked,
    Unknown,
    acw_topic,
    conversation_of,
    parse,
)

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
PARTICIPANT = "298c6ba8-fec0-428c-9b8f-385b9f80854f"
SESSION = "aba6f468-0377-4258-b016-71884bca5d38"
AGENT = "8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac"
TOPIC = f"v2.detail.events.conversation.{CONVERSATION}.acw"
BODY: dict[str, Any] = {
    "eventTime": 1757114402112,
    "conversationId": CONVERSATION,
    "participantId": PARTICIPANT,
    "sessionId": SESSION,
    "mediaType": "VOICE",
    "provider": "Edge",
    "direction": "INBOUND",
    "ani": "tel:+33123456789",
    "dnis": "tel:+33987654321",
    "userId": AGENT,
    "queueId": "9a58c219-a109-4a46-a1af-dd8303f12a5a",
    "wrapupCode": "7fb334b0-0e9e-11e4-9191-0800200c9a66",
    "wrapupNotes": "Customer asked about invoice",
    "wrapupDurationMs": 43250,
    "conversationExternalContactIds": ["54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"],
}


def frame(topic: object = TOPIC, **changes: Any) -> bytes:
    """The example of Genesys's schema, with some fields of the body changed; ``...`` leaves one out."""
    body = {name: value for name, value in {**BODY, **changes}.items() if value is not ...}
    return orjson.dumps({"topicName": topic, "version": "2", "eventBody": body, "metadata": {"CorrelationId": "x"}})


def event_of(raw: bytes) -> AcwEvent:
    notification = parse(raw)
    assert isinstance(notification, Acw)
    return notification.event


def test_the_event_of_genesys_schema_is_read_field_by_field() -> None:
    assert parse(frame(messageType="sms", callbackNumbers=["+33 1", "+33 2"], subject="Hi", addressTo="a@b")) == Acw(
        event=AcwEvent(
            conversation_id=CONVERSATION,
            participant_id=PARTICIPANT,
            session_id=SESSION,
            user_id=AGENT,
            event_time=1757114402112,
            media_type="VOICE",
            message_type="SMS",
            direction="INBOUND",
            ani="tel:+33123456789",
            dnis="tel:+33987654321",
            address_to="a@b",
            callback_numbers=("+33 1", "+33 2"),
            subject="Hi",
            queue_id="9a58c219-a109-4a46-a1af-dd8303f12a5a",
            wrapup_code="7fb334b0-0e9e-11e4-9191-0800200c9a66",
            wrapup_notes="Customer asked about invoice",
            wrapup_duration_ms=43250,
        )
    )


@pytest.mark.parametrize("absent", ["participantId", "sessionId", "userId", "eventTime"])
def test_an_event_without_one_field_of_its_identity_is_read_all_the_same(absent: str) -> None:
    nulled: dict[str, Any] = {_NAMES.get(absent, absent.replace("Id", "_id")): None}
    assert event_of(frame(**{absent: ...})) == replace(event_of(frame()), **nulled)


NAMELESS = Unreadable(reason="no_identity", topic=TOPIC, conversation_id=CONVERSATION)


@pytest.mark.parametrize("nothing", [..., None, ""], ids=["absent", "null", "empty"])
@pytest.mark.parametrize("missing", [("participantId",), ("sessionId",), ("participantId", "sessionId")], ids=str)
def test_without_participant_or_session_agent_and_time_name_the_work(missing: tuple[str, ...], nothing: object) -> None:
    event = event_of(frame(**dict.fromkeys(missing, nothing)))

    assert not event.names_session
    assert event.identity == f"{CONVERSATION}/user:{AGENT}@1757114402112"


@pytest.mark.parametrize("nothing", [..., None, ""], ids=["absent", "null", "empty"])
@pytest.mark.parametrize("missing", ["participantId", "sessionId"])
def test_an_event_that_names_no_work_is_set_aside_and_its_conversation_asked_about(
    missing: str, nothing: object
) -> None:
    assert parse(frame(**{missing: nothing, "userId": nothing})) == NAMELESS


@pytest.mark.parametrize("missing", ["participantId", "sessionId"])
@pytest.mark.parametrize("nothing", [..., None], ids=["absent", "null"])
def test_so_is_one_whose_time_alone_is_missing(missing: str, nothing: object) -> None:
    assert parse(frame(**{missing: nothing, "eventTime": nothing})) == NAMELESS


@pytest.mark.parametrize("body", [{}, dict.fromkeys(BODY), {"conversationId": ""}, {"conversationId": CONVERSATION}])
def test_an_event_without_any_field_names_no_work(body: object) -> None:
    assert parse(orjson.dumps({"topicName": TOPIC, "eventBody": body})) == NAMELESS


def test_ids_are_lower_case_and_enums_upper_case() -> None:
    raw = frame(
        acw_topic(CONVERSATION.upper()),
        conversationId=CONVERSATION.upper(),
        participantId=PARTICIPANT.upper(),
        sessionId=SESSION.upper(),
        userId=AGENT.upper(),
        mediaType="voice",
        direction="outbound",
    )
    event = event_of(raw)
    assert (event.conversation_id, event.participant_id, event.session_id) == (CONVERSATION, PARTICIPANT, SESSION)
    assert (event.user_id, event.media_type, event.direction) == (AGENT, "VOICE", "OUTBOUND")


def test_an_enum_that_genesys_adds_later_is_kept() -> None:
    assert event_of(frame(mediaType="HOLOGRAM", messageType="PIGEON")).media_type == "HOLOGRAM"


# --- the other kinds ---


@pytest.mark.parametrize("message", ["WebSocket Heartbeat", "pong", "", 7])
def test_channel_metadata_is_a_sign_of_life(message: object) -> None:
    raw = orjson.dumps({"topicName": "channel.metadata", "eventBody": {"message": message}})
    assert parse(raw) == Heartbeat()


@pytest.mark.parametrize("body", [{}, {"message": "closing"}, None, [], "soon"])
def test_a_closing_notice_is_known_by_its_topic_alone(body: object) -> None:
    assert parse(orjson.dumps({"topicName": "v2.system.socket_closing", "eventBody": body})) == Closing()


def test_a_revoked_token_is_recognised() -> None:
    raw = orjson.dumps({"topicName": "v2.system.token_revoked", "eventBody": {"reason": "user_tokens_revoked"}})
    assert parse(raw) == TokenRevoked()


@pytest.mark.parametrize(
    ("body", "topics"),
    [
        ({"topics": [TOPIC, 3, None, "x"]}, (TOPIC, "x")),
        ({"topicName": TOPIC}, (TOPIC,)),
        ({"reason": "another_channel_subscribed"}, ()),
        ({"topics": {"a": 1}}, ()),
        (None, ()),
        ([], ()),
    ],
)
def test_topics_that_the_server_took_are_named_if_it_names_them(body: object, topics: tuple[str, ...]) -> None:
    raw = orjson.dumps({"topicName": "v2.system.no_longer_subscribed", "eventBody": body})
    assert parse(raw) == NoLongerSubscribed(topics=topics)


@pytest.mark.parametrize(
    "behind",
    ["", ".C1", ".streaming-0-2gj4", ".other-channel", ".id", ".", ".a.b.c", ".\u00e9", "." + "x" * 10_000],
)
@pytest.mark.parametrize("spelled", [str, str.upper])
def test_a_system_notice_is_known_by_the_beginning_of_its_topic(behind: str, spelled: Callable[[str], str]) -> None:
    def notice(kind: str) -> bytes:
        return orjson.dumps({"topicName": spelled(f"v2.system.{kind}{behind}"), "eventBody": {"channelId": "C1"}})

    assert parse(notice("socket_closing")) == Closing()
    assert parse(notice("token_revoked")) == TokenRevoked()
    assert parse(notice("no_longer_subscribed")) == NoLongerSubscribed(topics=())


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("v2.system.subscription.updated", "subscription.updated"),
        ("v2.system.subscription.updated.streaming-0-2gj4", "subscription.updated"),
        ("v2.system.maintenance.C1", "maintenance"),
        ("V2.System.Maintenance", "maintenance"),
        ("v2.system.socket_closing_soon", "socket_closing_soon"),
        ("v2.system.socket_closed.C1", "socket_closed"),
        ("v2.system.streaming-0-2gj4", ""),
        ("v2.system.", ""),
        ("v2.system." + "x" * 100_000, ""),
        ("v2.system.Julia Müller", ""),
    ],
)
def test_other_system_notices_are_told_apart_by_their_words(topic: str, kind: str) -> None:
    assert parse(orjson.dumps({"topicName": topic, "eventBody": {}})) == OtherNotice(kind=kind)


@pytest.mark.parametrize("topic", ["v2.systems.socket_closing", "v2.users.x.presence", "", "v2.system"])
def test_other_topics_are_unknown_and_nothing_more(topic: str) -> None:
    assert parse(orjson.dumps({"topicName": topic, "eventBody": {}})) == Unknown(topic=topic)


def test_a_very_long_unknown_topic_is_cut() -> None:
    assert parse(orjson.dumps({"topicName": "x" * 100_000})) == Unknown(topic="x" * 200)


def test_a_reply_that_worked() -> None:
    raw = orjson.dumps(
        {"correlationId": "12", "topics": [TOPIC], "result": "200", "status": "unsubscribed", "message": "…"}
    )
    reply = parse(raw)
    assert reply == Reply(correlation_id="12", topics=(TOPIC,), result="200", status="unsubscribed")
    assert isinstance(reply, Reply)
    assert reply.worked


@pytest.mark.parametrize(
    ("message", "correlation_id", "result"),
    [
        ({"result": "404", "status": "unsubscribed"}, None, "404"),
        ({"result": 400, "correlationId": 12}, "12", "400"),
        ({"status": "subscribed", "correlationId": None}, None, None),
        ({"result": {}, "status": "x", "correlationId": []}, None, None),
        ({"result": True, "status": "x"}, None, None),
    ],
)
def test_a_reply_may_lack_or_bend_every_field(
    message: dict[str, object], correlation_id: str | None, result: str | None
) -> None:
    reply = parse(orjson.dumps(message))
    assert isinstance(reply, Reply)
    assert (reply.correlation_id, reply.result, reply.worked) == (correlation_id, result, False)


def test_a_message_with_neither_topic_nor_result_is_unknown() -> None:
    assert parse(b'{"hello": "world"}') == Unknown(topic=None)


def test_an_acw_topic_names_its_conversation_and_back() -> None:
    assert conversation_of(acw_topic(CONVERSATION)) == CONVERSATION
    assert conversation_of(acw_topic(CONVERSATION.upper())) == CONVERSATION


# --- hostile frames ---

DEEP = 1000
NOT_JSON = [
    b"",
    b" ",
    b"nonsense",
    b"{",
    b'{"topicName": }',
    b'{"topicName": "channel.metadata"',
    b'{"a": nan}',
    b'{"a": 01}',
    b'{"a": 1e}',
    b"{'a': 1}",
    b'{"a": 1,}',
    b"\x00",
    b'{"a": "\\x"}',
    b"{}{}",
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    b"undefined",
    b"\xff" * 1000,
]
NOT_AN_OBJECT = [
    b"null",
    b"true",
    b"1",
    b"-1.5e300",
    b'"text"',
    b"[]",
    b'[{"topicName": "channel.metadata"}]',
    b"1" * 300,
]
BAD_TOPIC = [b'{"topicName": %s}' % one for one in (b"1", b"true", b"[]", b"{}", b"1.5", b'["%s"]' % TOPIC.encode())]


@pytest.mark.parametrize("raw", NOT_JSON)
def test_what_is_no_json_is_set_aside(raw: bytes) -> None:
    assert parse(raw) == Unreadable(reason="not_json")


@pytest.mark.parametrize("raw", NOT_AN_OBJECT)
def test_json_that_is_no_object_is_set_aside(raw: bytes) -> None:
    assert parse(raw) == Unreadable(reason="not_an_object")


@pytest.mark.parametrize("raw", BAD_TOPIC)
def test_a_topic_that_is_no_text_is_set_aside(raw: bytes) -> None:
    assert parse(raw) == Unreadable(reason="bad_topic")


@pytest.mark.parametrize("body", [None, [], "x", 1, True, [BODY]])
def test_an_acw_topic_without_an_object_for_a_body_is_set_aside(body: object) -> None:
    raw = orjson.dumps({"topicName": TOPIC, "eventBody": body})
    assert parse(raw) == Unreadable(reason="no_body", topic=TOPIC, conversation_id=CONVERSATION)


@pytest.mark.parametrize(
    "topic",
    [
        f"v2.detail.events.conversation.{CONVERSATION}",
        f"v2.detail.events.conversation.{CONVERSATION}.acw.",
        f"v2.detail.events.conversation.{CONVERSATION}.acw\n",
        f" v2.detail.events.conversation.{CONVERSATION}.acw",
        f"v2.detail.events.conversation.{CONVERSATION}.wrapup",
        f"v2.detail.events.conversation.{{{CONVERSATION}}}.acw",
        f"v2.detail.events.conversation.{CONVERSATION.replace('-', '')}.acw",
        f"v2.detail.events.conversation.{CONVERSATION[:-1]}.acw",
        f"v2.detail.events.conversation.{CONVERSATION[:-1]}g.acw",
        f"v2.detail.event\N{LATIN SMALL LETTER LONG S}.conversation.{CONVERSATION}.acw",
        f"v2xdetail.events.conversation.{CONVERSATION}.acw",
        "v2.detail.events.conversation..acw",
        TOPIC.replace("6", "\N{FULLWIDTH DIGIT SIX}"),
    ],
)
def test_a_topic_spelled_otherwise_is_not_ours(topic: str) -> None:
    assert parse(frame(topic)) == Unknown(topic=topic)


@pytest.mark.parametrize("field", ["conversationId", "participantId", "sessionId"])
@pytest.mark.parametrize("value", [1, True, 1.5, [], {}, " ", "a b", "a/b", "a\x00", "\u202e", "x" * 65, ["x"], "é"])
def test_a_wrong_identity_fails_the_event_and_names_the_conversation(field: str, value: object) -> None:
    expected = Unreadable(reason="bad_identity", topic=TOPIC, conversation_id=CONVERSATION)
    assert parse(frame(**{field: value})) == expected


def test_another_conversation_in_the_body_is_set_aside() -> None:
    raw = frame(conversationId="00000000-0000-4000-8000-000000000001")
    assert parse(raw) == Unreadable(reason="other_conversation", topic=TOPIC, conversation_id=CONVERSATION)


@pytest.mark.parametrize("field", ["userId", "eventTime"])
def test_a_wrong_agent_or_time_fails_the_event_where_it_would_be_the_identity(field: str) -> None:
    raw = frame(participantId=..., **{field: {"no": "scalar"}})
    assert parse(raw) == Unreadable(reason="bad_identity", topic=TOPIC, conversation_id=CONVERSATION)


_NO_MILLIS: list[object] = [True, False, 1.0, 1e300, "1", "x", []]
_NO_TEXT: list[object] = [1, True, [], {}]
WRONG_TYPES: list[tuple[str, object]] = [
    *((name, value) for name in ("eventTime", "wrapupDurationMs") for value in _NO_MILLIS),
    *(("eventTime", value) for value in (-1, 2**63, 2**64 - 1, 253_402_300_800_000)),
    *((name, value) for name in ("mediaType", "direction", "messageType", "ani", "dnis") for value in _NO_TEXT),
    *((name, 7) for name in ("addressTo", "addressFrom", "subject", "wrapupCode", "wrapupNotes")),
    ("mediaType", "V" * 65),
    ("ani", "1" * 501),
    ("subject", "s" * 20_001),
    ("wrapupNotes", "n" * 20_001),
    ("wrapupCode", "c" * 201),
    ("callbackNumbers", "+33"),
    ("callbackNumbers", [1]),
    ("callbackNumbers", ["+33", None]),
    ("callbackNumbers", {"0": "+33"}),
    ("callbackNumbers", ["1" * 501]),
    ("callbackNumbers", ["1"] * 101),
    ("userId", 1),
    ("userId", "a b"),
    ("queueId", ["x"]),
]
_NAMES = {"eventTime": "event_time", "wrapupDurationMs": "wrapup_duration_ms", "callbackNumbers": "callback_numbers"}


@pytest.mark.parametrize(("field", "value"), WRONG_TYPES)
def test_a_wrong_field_beside_the_identity_is_dropped_and_named(field: str, value: object) -> None:
    # When
    notification = parse(frame(**{field: value}))
    # Then
    assert isinstance(notification, Acw)
    assert notification.dropped == (field,)
    attribute = _NAMES.get(field) or "".join(f"_{c.lower()}" if c.isupper() else c for c in field)
    assert getattr(notification.event, attribute) in (None, ())
    assert notification.event.record_id == event_of(frame()).record_id


def test_several_wrong_fields_are_all_named_and_the_others_kept() -> None:
    notification = parse(frame(eventTime="now", ani=5, queueId=[]))
    assert isinstance(notification, Acw)
    assert notification.dropped == ("ani", "eventTime", "queueId")
    assert notification.event.dnis == BODY["dnis"]


def test_a_number_beyond_64_bits_is_dropped() -> None:
    notification = parse(frame().replace(b"1757114402112", b"9" * 30))
    assert isinstance(notification, Acw)
    assert notification.dropped == ("eventTime",)


@pytest.mark.parametrize(
    "damaged",
    [
        frame().replace(b"1757114402112", b"soon"),
        frame(wrapupNotes="@").replace(b'"@"', b"[" * 100_000 + b"]" * 100_000),
        frame()[:200],
        frame().replace(CONVERSATION.encode(), CONVERSATION.upper().encode()) + b"}",
    ],
)
def test_a_damaged_frame_still_names_its_conversation(damaged: bytes) -> None:
    assert parse(damaged) == Unreadable(reason="not_json", topic=TOPIC, conversation_id=CONVERSATION)


@pytest.mark.parametrize(
    ("odd", "read"),
    [
        (rb"half a smile \ud83d", "half a smile \ufffd"),
        (rb"\ude00 the other half", "\ufffd the other half"),
        (rb"halves in the wrong order \ude00\ud83d", "halves in the wrong order \ufffd\ufffd"),
        (rb"a whole one \ud83d\ude00", "a whole one \U0001f600"),
        (b"half a smile in bytes \xf0\x9f", "half a smile in bytes \ufffd"),
        (b"a half in UTF-8 \xed\xa0\xbd", "a half in UTF-8 \ufffd\ufffd\ufffd"),
        (b"no UTF-8 \xff", "no UTF-8 \ufffd"),
        (rb"NUL \u0000", "NUL \ufffd"),
        (b"NUL \x00", "NUL \ufffd"),
        (b"a line\nbreak", "a line\nbreak"),
        (rb"no escape \\ud83d \\u0000", r"no escape \ud83d \u0000"),
    ],
)
def test_odd_text_in_a_frame_is_read(odd: bytes, read: str) -> None:
    notification = parse(frame(wrapupNotes="@").replace(b"@", odd))
    assert isinstance(notification, Acw)
    assert (notification.event.wrapup_notes, notification.dropped) == (read, ())
    assert AcwEvent.from_json(notification.event.to_json()) == notification.event


@pytest.mark.parametrize("odd", [rb"\ud83d", b"\xff", rb"\u0000"])
@pytest.mark.parametrize("key", ["conversationId", "participantId", "sessionId"])
def test_odd_text_in_an_id_is_no_identity(key: str, odd: bytes) -> None:
    raw = frame(**{key: "@"}).replace(b"@", odd)
    assert parse(raw) == Unreadable(reason="bad_identity", topic=TOPIC, conversation_id=CONVERSATION)


@pytest.mark.parametrize("odd", [rb"\ud83d", b"\xff", rb"\u0000"])
def test_odd_text_in_a_key_costs_that_key_only(odd: bytes) -> None:
    notification = parse(frame().replace(b'"ani"', b'"ani' + odd + b'"'))
    assert isinstance(notification, Acw)
    assert (notification.event.ani, notification.event.dnis) == (None, BODY["dnis"])


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 400, b"9" * 10_000])
def test_what_is_no_number_of_json_is_a_wrong_value_of_its_field(number: bytes) -> None:
    notification = parse(frame().replace(b"1757114402112", number))
    assert isinstance(notification, Acw)
    assert notification.dropped == ("eventTime",)


def test_of_duplicate_keys_the_last_one_counts() -> None:
    raw = b'{"topicName": "x", "topicName": "channel.metadata", "eventBody": {}}'
    assert parse(raw) == Heartbeat()


def test_a_topic_key_twice_in_the_body_can_not_smuggle_another_conversation() -> None:
    other = "00000000-0000-4000-8000-000000000001"
    raw = b'{"topicName": "%s", "eventBody": {"conversationId": "%s", "conversationId": "%s"}}'
    smuggled = parse(raw % (TOPIC.encode(), CONVERSATION.encode(), other.encode()))
    assert smuggled == Unreadable(reason="other_conversation", topic=TOPIC, conversation_id=CONVERSATION)


@pytest.mark.parametrize("field", ["correlationId", "result", "status", "topics", "eventBody"])
def test_deep_nesting_in_a_reply_does_not_raise(field: str) -> None:
    raw = b'{"result": "200", "%s": %s}' % (field.encode(), b"[" * DEEP + b"]" * DEEP)
    assert isinstance(parse(raw), Reply | Unknown)


@pytest.mark.parametrize("field", [*BODY, "callbackNumbers"])
def test_deep_nesting_in_any_field_of_the_body_does_not_raise(field: str) -> None:
    raw = frame(**{field: "@"}).replace(b'"@"', b"[" * DEEP + b"]" * DEEP)
    assert isinstance(parse(raw), Acw | Unreadable)


# --- any bytes, any JSON ---

_scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
_json = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
_topics = st.sampled_from(
    [TOPIC, "channel.metadata", "v2.system.socket_closing", "v2.system.no_longer_subscribed", "v2.system.token_revoked"]
)
_envelopes = st.fixed_dictionaries(
    {},
    optional={
        "topicName": _topics | _json,
        "eventBody": st.dictionaries(st.sampled_from(sorted(BODY)), _json) | _json,
        **dict.fromkeys(("result", "status", "correlationId", "topics"), _json),
    },
)


@given(st.binary(max_size=300))
def test_no_bytes_raise(raw: bytes) -> None:
    parse(raw)


@given(_envelopes | _json)
def test_no_json_raises_and_every_event_survives_the_outbox(value: object) -> None:
    notification = parse(orjson.dumps(value))
    if isinstance(notification, Acw):
        assert AcwEvent.from_json(notification.event.to_json()) == notification.event
        assert uuid.UUID(notification.event.record_id).version == 5
