"""Text that is not quite JSON, in every answer of Genesys: read with U+FFFD, and a broken part costs no other."""

import orjson
import pytest

from genesys_gateway.genesys.analytics import details_from_answer
from genesys_gateway.genesys.call import BadAnswer, load, read_object
from genesys_gateway.genesys.live_view import from_answer
from genesys_gateway.genesys.schemas.channels import CHANNEL, ERROR_BODY, TOPICS
from genesys_gateway.genesys.schemas.login import LOGIN_ERROR, TOKEN_ANSWER
from tests.doubles import analytics_answers

#: What stands in the JSON, and what is read.
ODD = [
    (rb"\ud83d", "\ufffd"),
    (rb"\ude00\ud83d", "\ufffd\ufffd"),
    (b"\xff", "\ufffd"),
    (b"\xf0\x9f\x98", "\ufffd"),
    (rb"\u0000", "\ufffd"),
    (b"\x00", "\ufffd"),
]
#: Values that no parser takes.
BROKEN = [b"undefined", b"[" * 100_000 + b"]" * 100_000, b"'x'", b"01", rb'"\x"']


def bulk(*notes: str) -> bytes:
    """A bulk answer of one conversation for each note; their ids end in 0, 1, 2 and so on."""
    return orjson.dumps({"conversations": [details(number, text) for number, text in enumerate(notes)]})


def details(number: int, note: str) -> dict[str, object]:
    done = {**analytics_answers.DONE, "wrapUpNote": note}
    agent = analytics_answers.agent(1, analytics_answers.session(1, done))
    return analytics_answers.conversation(agent, conversationId=f"{analytics_answers.CONVERSATION[:-2]}{number:02}")


def notes_of(body: bytes) -> dict[str, str | None]:
    found = details_from_answer(body)
    return {one.conversation_id[-2:]: one.sessions[0].wrapups[0].notes for one in found}


@pytest.mark.parametrize(("odd", "read"), ODD)
def test_odd_text_in_one_of_fifty_is_read(odd: bytes, read: str) -> None:
    body = bulk("@", *["fine"] * 49).replace(b"@", b"odd " + odd)

    notes = notes_of(body)

    assert (len(notes), notes["00"], notes["49"]) == (50, f"odd {read}", "fine")


@pytest.mark.parametrize("broken", BROKEN)
def test_one_of_fifty_that_can_not_be_read_costs_no_other(broken: bytes) -> None:
    body = bulk("@", *["fine"] * 49).replace(b'"@"', broken)

    assert notes_of(body) == {f"{number:02}": "fine" for number in range(1, 50)}


@pytest.mark.parametrize(("odd", "_"), ODD)
def test_odd_text_in_an_id_costs_that_conversation_only(odd: bytes, _: str) -> None:
    first = analytics_answers.CONVERSATION[:-2].encode()
    body = bulk("bad", "fine").replace(first + b"00", first + odd)

    assert notes_of(body) == {"01": "fine"}


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e999", b"9" * 5000])
def test_what_is_no_number_of_json_is_a_wrong_value_of_its_field(number: bytes) -> None:
    assert notes_of(bulk("@", "fine").replace(b'"@"', number)) == {"00": None, "01": "fine"}


@pytest.mark.parametrize(("odd", "read"), ODD)
def test_odd_text_in_a_live_answer_is_read(odd: bytes, read: str) -> None:
    participant = {"id": "p", "userId": "u", "wrapup": {"code": "c", "notes": "@", "endTime": analytics_answers.ENDED}}
    body = orjson.dumps({"id": analytics_answers.CONVERSATION, "participants": [participant]})

    (agent,) = from_answer(body.replace(b"@", odd)).agents

    assert agent.wrapup is not None
    assert agent.wrapup.notes == read


@pytest.mark.parametrize("broken", BROKEN)
def test_a_participant_that_can_not_be_read_makes_the_live_answer_unreadable(broken: bytes) -> None:
    body = b'{"id": "%s", "participants": [{"purpose": %s}]}' % (analytics_answers.CONVERSATION.encode(), broken)
    with pytest.raises(BadAnswer):
        from_answer(body)


@pytest.mark.parametrize(("odd", "read"), ODD)
def test_odd_text_in_a_topic_list_costs_that_topic_only(odd: bytes, read: str) -> None:
    body = b'{"entities": [{"id": "one"}, {"id": "two%s", "rejectionReason": "%s"}]}' % (odd, odd)
    assert [one["id"] for one in load(TOPICS, read_object(body))["entities"]] == ["one", f"two{read}"]


@pytest.mark.parametrize(("odd", "_"), ODD)
def test_odd_text_beside_a_channel_or_a_token_does_no_harm(odd: bytes, _: str) -> None:
    channel = b'{"id": "c-1", "connectUri": "wss://x", "expires": "2026-11-28T00:00:00Z", "note%s": "%s"}' % (odd, odd)
    token = b'{"access_token": "abc", "expires_in": 60, "scope": "%s"}' % odd

    assert load(CHANNEL, read_object(channel))["id"] == "c-1"
    assert load(TOKEN_ANSWER, read_object(token))["access_token"] == "abc"
    assert load(ERROR_BODY, read_object(b'{"code": "not.found", "message": "%s"}' % odd))["code"] == "not.found"
    assert load(LOGIN_ERROR, read_object(b'{"error": "invalid_client", "description": "%s"}' % odd))["error"]


@pytest.mark.parametrize(("odd", "_"), ODD)
def test_odd_text_in_the_id_of_a_channel_or_in_a_token_is_refused(odd: bytes, _: str) -> None:
    channel = b'{"id": "c%s", "connectUri": "wss://x", "expires": "2026-11-28T00:00:00Z"}' % odd
    with pytest.raises(BadAnswer):
        load(CHANNEL, read_object(channel))
    with pytest.raises(BadAnswer):
        load(TOKEN_ANSWER, read_object(b'{"access_token": "a%s", "expires_in": 60}' % odd))


def test_a_conversation_that_is_too_large_by_its_texts_is_read_without_them() -> None:
    body = bulk("x" * 600_000, "fine")
    assert notes_of(body) == {"00": None, "01": "fine"}
