"""The id of a record depends on nothing but the after-call work, and an event survives the outbox unchanged."""

import hashlib
import uuid

import orjson
import pytest

from genesys_gateway.domain.after_call_work import AcwEvent
from tests.doubles.genesys import acw_event

EVENT = acw_event()
CONVERSATION, AGENT = EVENT.conversation_id, EVENT.user_id


def uuid5_by_hand(text: str) -> str:
    """RFC 9562, section 5.5, without the library that the code uses."""
    namespace = bytes.fromhex("0d9f3f0c6f0e5b529d3f7a0a6c1e2b44")
    digest = bytearray(hashlib.sha1(namespace + text.encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    h = digest.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def test_the_record_id_is_the_uuid5_of_conversation_participant_and_session() -> None:
    expected = uuid5_by_hand(f"{CONVERSATION}/{EVENT.participant_id}/{EVENT.session_id}")
    assert EVENT.record_id == expected == "ba64499a-19bd-52da-85ab-8a99e663314a"
    assert uuid.UUID(expected).version == 5


def test_time_agent_and_content_do_not_change_the_record_id() -> None:
    other = acw_event(event_time=1, user_id=None, wrapup_code="x", ani=None, media_type="MESSAGE")
    assert other.record_id == EVENT.record_id


@pytest.mark.parametrize("absent", ["participant_id", "session_id"])
def test_without_participant_or_session_agent_and_time_are_the_identity(absent: str) -> None:
    expected = uuid5_by_hand(f"{CONVERSATION}/user:{AGENT}@1757114402112")
    assert acw_event(**{absent: None}).record_id == expected
    assert not acw_event(**{absent: None}).names_session


def test_the_first_millisecond_is_a_time() -> None:
    event = acw_event(participant_id=None, event_time=0)
    assert event.record_id == uuid5_by_hand(f"{CONVERSATION}/user:{AGENT}@0")


@pytest.mark.parametrize(("user", "time"), [(None, 5), ("", 5), (AGENT, None), (None, None)])
@pytest.mark.parametrize("absent", ["participant_id", "session_id"])
def test_without_session_and_without_agent_or_time_it_names_no_work(
    absent: str, user: str | None, time: int | None
) -> None:
    event = acw_event(**{absent: None}, user_id=user, event_time=time)

    assert event.identity is None
    with pytest.raises(ValueError, match="neither participant and session nor agent and time"):
        event.record_id  # noqa: B018 - a property


def test_an_event_survives_the_outbox_unchanged() -> None:
    event = acw_event(callback_numbers=("1", "2"), wrapup_notes="“quoted”\n\x00\t🙂")
    assert AcwEvent.from_json(event.to_json()) == event


def test_the_text_in_the_outbox_is_the_same_in_every_version() -> None:
    """A repetition is known by it, also after an update."""
    event = AcwEvent(conversation_id="c", user_id="u", event_time=5, callback_numbers=("1", "2"), wrapup_notes="“é”")
    assert event.to_json() == (
        '{"conversation_id":"c","participant_id":null,"session_id":null,"user_id":"u","event_time":5,"media_type":null,'
        '"message_type":null,"direction":null,"ani":null,"dnis":null,"address_to":null,"address_from":null,'
        '"callback_numbers":["1","2"],"subject":null,"queue_id":null,"wrapup_code":null,"wrapup_notes":"“é”",'
        '"wrapup_duration_ms":null}'
    )


def test_a_field_of_another_version_in_the_outbox_is_left_out() -> None:
    text = orjson.dumps({**orjson.loads(EVENT.to_json()), "shoe_size": 43}).decode()
    assert AcwEvent.from_json(text) == EVENT
