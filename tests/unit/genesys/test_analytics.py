"""Which after-call work do analytics show as done, and what does their silence prove? (Nothing.)"""

from typing import Any

import orjson
import pytest

from genesys_gateway.genesys.analytics import Details, details_from_answer
from genesys_gateway.genesys.call import BadAnswer
from genesys_gateway.reconciliation.evidence import Verdict, all_wrapped_up, completes, finished_acw
from genesys_gateway.runtime.clock import parse_iso

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
ENDED = "2026-11-22T10:05:00.000Z"
ACW_END = "2026-11-22T10:05:43.250Z"
LATER = "2026-11-22T12:00:00.000Z"
CODE = "7fb334b0-0e9e-11e4-9191-0800200c9a66"

TALK = {"segmentType": "interact", "segmentStart": "2026-11-22T10:00:00Z", "segmentEnd": ENDED, "queueId": "queue-1"}
DONE = {
    "segmentType": "wrapup",
    "segmentStart": ENDED,
    "segmentEnd": ACW_END,
    "wrapUpCode": CODE,
    "wrapUpNote": "asked about an invoice",
}
AT_IT = {"segmentType": "wrapup", "segmentStart": ENDED}


def session(number: int = 1, *segments: object, **more: object) -> dict[str, Any]:
    return {"sessionId": f"session-{number}", "mediaType": "voice", "segments": [TALK, *segments], **more}


def agent(number: int, *sessions: object, **more: object) -> dict[str, Any]:
    who = {"participantId": f"participant-{number}", "userId": f"user-{number}", "purpose": "agent"}
    return {**who, "sessions": sessions, **more}


def one(*participants: object, **more: object) -> dict[str, Any]:
    return {"conversationId": CONVERSATION, "conversationEnd": ENDED, "participants": participants, **more}


def read(*participants: object, **more: object) -> Details:
    (details,) = details_from_answer(orjson.dumps({"conversations": [one(*participants, **more)]}))
    return details


def done(details: Details) -> set[tuple[str | None, str | None]]:
    return {(event.participant_id, event.session_id) for event in finished_acw(details)}


FIRST = ("participant-1", "session-1")
TWIN = ("participant-1", "session-2")
SECOND = ("participant-2", "session-2")

ROWS: list[tuple[str, list[dict[str, Any]], set[tuple[str, str]], bool]] = [
    ("nobody", [], set(), False),
    ("done", [agent(1, session(1, DONE))], {FIRST}, False),
    ("done without a code", [agent(1, session(1, {**DONE, "wrapUpCode": None}))], {FIRST}, False),
    ("done by time-out", [agent(1, session(1, {**DONE, "wrapUpCode": "ININ-WRAP-UP-TIMEOUT"}))], {FIRST}, False),
    ("done hours later", [agent(1, session(1, {**DONE, "segmentEnd": LATER}))], {FIRST}, False),
    ("still at it", [agent(1, session(1, AT_IT))], set(), True),
    ("an end that is no moment", [agent(1, session(1, {**DONE, "segmentEnd": "soon"}))], set(), True),
    ("no after-call work", [agent(1, session(1))], set(), False),
    ("no segments at all", [agent(1, session(1, segments=None))], set(), False),
    ("skipped", [agent(1, session(1, acwSkipped=True))], set(), False),
    ("skipped, its segment closed", [agent(1, session(1, DONE, acwSkipped=True))], set(), False),
    ("skipped, its segment open", [agent(1, session(1, AT_IT, acwSkipped=True))], set(), False),
    ("a callback: both sessions are tagged", [agent(1, session(1, DONE), session(2, DONE))], {FIRST, TWIN}, False),
    ("a callback wrapped up by communication", [agent(1, session(1), session(2, DONE))], {TWIN}, False),
    ("a transfer", [agent(1, session(1, DONE)), agent(2, session(2, DONE))], {FIRST, SECOND}, False),
    ("a transfer, one at it", [agent(1, session(1, DONE)), agent(2, session(2, AT_IT))], {FIRST}, True),
    ("a reopened message", [agent(1, session(1, DONE, AT_IT))], {FIRST}, True),
    ("any purpose", [agent(1, session(1, DONE), purpose="user")], {FIRST}, False),
    ("no user: no agent", [agent(1, session(1, DONE), userId=None)], set(), False),
    ("odd spelling", [agent(1, session(1, {**DONE, "segmentType": "WrapUp"}))], {FIRST}, False),
]


@pytest.mark.parametrize(
    ("participants", "finished", "pending"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_wrapup_segment_with_an_end_is_done(
    participants: list[dict[str, Any]], finished: set[tuple[str, str]], pending: bool
) -> None:
    details = read(*participants)
    assert (done(details), details.acw_pending) == (finished, pending)


def test_a_finished_session_reads_like_its_live_event() -> None:
    voice = session(
        1,
        DONE,
        direction="inbound",
        ani="tel:+639171234567",
        dnis="tel:+6328123456",
        metrics=[{"name": "tTalk", "value": 300_000}, {"name": "tAcw", "value": 43_251}],
    )
    (event,) = finished_acw(read(agent(1, voice), conversationId=CONVERSATION.upper()))
    assert (event.conversation_id, event.participant_id, event.session_id) == (CONVERSATION, *FIRST)
    assert (event.user_id, event.queue_id) == ("user-1", "queue-1")
    assert (event.media_type, event.direction, event.message_type) == ("VOICE", "INBOUND", None)
    assert (event.ani, event.dnis) == ("tel:+639171234567", "tel:+6328123456")
    assert (event.wrapup_code, event.wrapup_notes) == (CODE, "asked about an invoice")
    assert event.event_time == parse_iso(ACW_END)
    assert event.wrapup_duration_ms == 43_251


def test_a_message_a_callback_and_an_e_mail_keep_what_is_theirs() -> None:
    sms = session(1, DONE, mediaType="message", messageType="sms", addressFrom="+63917", addressTo="+632")
    callback = session(2, DONE, mediaType="callback", callbackNumbers=["+63917"])
    email = session(3, {**DONE, "subject": "Invoice"}, mediaType="email")
    first, second, third = finished_acw(read(agent(1, sms, callback, email)))
    assert (first.media_type, first.message_type) == ("MESSAGE", "SMS")
    assert (first.address_from, first.address_to) == ("+63917", "+632")
    assert (second.media_type, second.callback_numbers) == ("CALLBACK", ("+63917",))
    assert (third.media_type, third.subject) == ("EMAIL", "Invoice")


def test_the_last_wrapup_of_a_reopened_session_is_the_valid_one() -> None:
    again = {**DONE, "segmentEnd": LATER, "wrapUpCode": "again", "queueId": "QUEUE-2"}
    (event,) = finished_acw(read(agent(1, session(1, again, DONE))))
    assert (event.wrapup_code, event.event_time, event.queue_id) == ("again", parse_iso(LATER), "queue-2")


@pytest.mark.parametrize(
    ("segment", "metrics", "expected"),
    [
        (DONE, None, 43_250),
        (DONE, [{"name": "tAcw", "value": 20_000}, {"name": "tAcw", "value": 30_000}], 50_000),
        (DONE, [{"name": "tAcw", "value": "long"}, "metric", {"name": "tAcw", "value": -1}], 43_250),
        (DONE, "none", 43_250),
        ({**DONE, "segmentStart": None}, None, None),
        ({**DONE, "segmentStart": LATER}, None, None),
    ],
)
def test_its_duration_is_the_metric_or_else_the_segment(segment: object, metrics: object, expected: int | None) -> None:
    (event,) = finished_acw(read(agent(1, session(1, segment, metrics=metrics))))
    assert event.wrapup_duration_ms == expected


@pytest.mark.parametrize("end", [None, "", 5, "soon"])
def test_without_an_end_it_has_not_ended(end: object) -> None:
    assert not read(agent(1, session(1, DONE)), conversationEnd=end).ended


def test_it_has_ended_when_it_says_so() -> None:
    assert (read().ended, read().ended_at) == (True, parse_iso(ENDED))


@pytest.mark.parametrize(
    ("participants", "end", "expected"),
    [
        ([agent(1, session(1, DONE)), agent(2, session(2, DONE))], ENDED, True),
        ([agent(1, session(1, DONE)), agent(2, session(2, acwSkipped=True))], ENDED, True),
        ([agent(1, session(1, DONE)), agent(2, session(2))], ENDED, False),
        ([agent(1, session(1, DONE)), agent(2, session(2, AT_IT))], ENDED, False),
        ([agent(1, session(1, DONE, AT_IT))], ENDED, False),
        ([agent(1, session(1, DONE))], None, False),
        ([], ENDED, False),
        ([agent(1)], ENDED, False),
    ],
)
def test_analytics_prove_an_end_only_where_every_session_shows_its_own(
    participants: list[object], end: str | None, expected: bool
) -> None:
    assert all_wrapped_up(read(*participants, conversationEnd=end)) is expected


@pytest.mark.parametrize(
    "unreadable",
    [
        agent(2, {"sessionId": None}),
        agent(2, "session"),
        agent(2, participantId=5),
        agent(2, userId=5),
        agent(2, session(2, "segment")),
        {**agent(2), "sessions": "none"},
    ],
)
def test_one_unreadable_agent_hides_no_other_but_the_answer_no_longer_speaks_for_the_whole(unreadable: object) -> None:
    details = read(unreadable, agent(1, session(1, DONE)))
    assert done(details) == {FIRST}
    assert not details.ended


@pytest.mark.parametrize("wrong", [{"mediaType": 5}, {"direction": []}, {"ani": 5}, {"acwSkipped": "no"}, {"new": {}}])
def test_a_wrong_optional_field_counts_as_absent(wrong: dict[str, object]) -> None:
    details = read(agent(1, session(1, DONE, **wrong)))
    assert (done(details), details.ended) == ({FIRST}, True)


@pytest.mark.parametrize("body", [b"{}", b'{"conversations": []}', b'{"conversations": null}'])
def test_analytics_that_know_nothing_yet_answer_nobody(body: bytes) -> None:
    assert details_from_answer(body) == ()


def test_the_answer_about_a_single_conversation_is_read_alike() -> None:
    (details,) = details_from_answer(orjson.dumps(one(agent(1, session(1, DONE)))))
    assert done(details) == {FIRST}


@pytest.mark.parametrize("odd", [None, "conversation", {}, one(conversationId=5), one(participants="none"), one("x")])
def test_one_odd_conversation_does_not_hold_up_the_others(odd: object) -> None:
    answer = {"conversations": [odd, one(agent(1, session(1, DONE)))]}
    (details,) = details_from_answer(orjson.dumps(answer))
    assert done(details) == {FIRST}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff",
        b"[]",
        b"null",
        b'{"message": "internal"}',
        b'{"conversations": {}}',
        b'{"conversations": [null]}',
        b'{"conversations": [{}]}',
        b'{"conversationId": 5}',
        b'{"conversationId": "c", "participants": [5]}',
    ],
)
def test_an_answer_about_nobody_proves_nothing(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        details_from_answer(body)


@pytest.mark.parametrize(
    ("participants", "end", "expected"),
    [
        ([agent(1, session(1, DONE), session(2, DONE))], ENDED, True),
        ([agent(1, session(1, DONE)), agent(2, session(2))], ENDED, True),
        ([agent(2, session(2, DONE))], ENDED, False),
        ([agent(1, session(1, DONE)), agent(2, session(2, AT_IT))], ENDED, False),
        ([agent(1, session(1, DONE))], None, False),
        ([], ENDED, False),
    ],
)
def test_analytics_complete_a_verdict_once_they_show_all_it_could_not_name(
    participants: list[object], end: str | None, expected: bool
) -> None:
    sure = "participant-1"
    verdict = Verdict(over=True, finished=(), nameable=False, unnamed=frozenset({sure}), unclear={sure: 1})
    assert completes(read(*participants, conversationEnd=end), verdict) is expected


@pytest.mark.parametrize("unnamed", [{"participant-1"}, set()], ids=["certainly done", "in doubt"])
@pytest.mark.parametrize(
    ("sessions", "complete_until", "expected"),
    [
        ([session(1, DONE)], None, False),
        ([session(1, DONE), session(2)], ACW_END, False),
        ([session(1, DONE), session(2)], LATER, True),
        ([session(1, DONE), session(2, AT_IT)], LATER, False),
        ([session(1, DONE), session(2, DONE)], None, True),
    ],
)
def test_of_an_agent_with_two_sessions_one_does_not_speak_for_the_other(
    unnamed: set[str], sessions: list[object], complete_until: str | None, expected: bool
) -> None:
    verdict = Verdict(
        over=True,
        finished=(),
        nameable=False,
        unnamed=frozenset(unnamed),
        unclear={"participant-1": 2},
        told_until=parse_iso(ACW_END) + 1,
    )
    until = parse_iso(complete_until) if complete_until else None
    assert completes(read(agent(1, *sessions)), verdict, until) is expected


@pytest.mark.parametrize(
    ("participants", "complete_until", "expected"),
    [
        ([agent(1, session(1, DONE))], None, True),
        ([agent(1, session(1))], None, False),
        ([agent(1, session(1))], ACW_END, False),
        ([agent(1, session(1))], LATER, True),
        ([agent(1, session(1, AT_IT))], LATER, False),
    ],
)
def test_silence_about_an_agent_in_doubt_counts_only_once_analytics_had_the_time_to_learn(
    participants: list[object], complete_until: str | None, expected: bool
) -> None:
    unclear = {"participant-1": 1}
    verdict = Verdict(over=True, finished=(), nameable=False, unclear=unclear, told_until=parse_iso(ACW_END) + 1)
    until = parse_iso(complete_until) if complete_until else None
    assert completes(read(*participants), verdict, until) is expected
