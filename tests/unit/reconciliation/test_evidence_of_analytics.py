"""What analytics prove: which after-call work is done, and whether all is shown. What is missing proves nothing."""

from typing import Any

import pytest

from genesys_gateway.genesys.analytics import Details
from genesys_gateway.reconciliation.evidence import Verdict, all_wrapped_up, completes, finished_acw
from genesys_gateway.runtime.clock import parse_iso
from tests.doubles.analytics_answers import (
    ACW_END,
    BEGUN,
    CODE,
    CONVERSATION,
    DONE,
    ENDED,
    LATER,
    agent,
    details_of,
    session,
)

FIRST = ("participant-1", "session-1")
#: The second session of the first agent.
FIRST_AGAIN = ("participant-1", "session-2")
SECOND = ("participant-2", "session-2")

ROWS: list[tuple[str, list[dict[str, Any]], set[tuple[str, str]], bool]] = [
    ("nobody", [], set(), False),
    ("done", [agent(1, session(1, DONE))], {FIRST}, False),
    ("done without a code", [agent(1, session(1, {**DONE, "wrapUpCode": None}))], {FIRST}, False),
    ("done by time-out", [agent(1, session(1, {**DONE, "wrapUpCode": "ININ-WRAP-UP-TIMEOUT"}))], {FIRST}, False),
    ("done hours later", [agent(1, session(1, {**DONE, "segmentEnd": LATER}))], {FIRST}, False),
    ("still at it", [agent(1, session(1, BEGUN))], set(), True),
    ("an end that is no moment", [agent(1, session(1, {**DONE, "segmentEnd": "soon"}))], set(), True),
    ("no after-call work", [agent(1, session(1))], set(), False),
    ("no segments at all", [agent(1, session(1, segments=None))], set(), False),
    ("skipped", [agent(1, session(1, acwSkipped=True))], set(), False),
    ("skipped, its segment closed", [agent(1, session(1, DONE, acwSkipped=True))], set(), False),
    ("skipped, its segment open", [agent(1, session(1, BEGUN, acwSkipped=True))], set(), False),
    (
        "a callback: both sessions are tagged",
        [agent(1, session(1, DONE), session(2, DONE))],
        {FIRST, FIRST_AGAIN},
        False,
    ),
    ("a callback wrapped up by communication", [agent(1, session(1), session(2, DONE))], {FIRST_AGAIN}, False),
    ("a transfer", [agent(1, session(1, DONE)), agent(2, session(2, DONE))], {FIRST, SECOND}, False),
    ("a transfer, one at it", [agent(1, session(1, DONE)), agent(2, session(2, BEGUN))], {FIRST}, True),
    ("a reopened message: the last wrap-up counts", [agent(1, session(1, DONE, BEGUN))], set(), True),
    ("any purpose", [agent(1, session(1, DONE), purpose="user")], {FIRST}, False),
    ("no user: no agent", [agent(1, session(1, DONE), userId=None)], set(), False),
    ("odd spelling", [agent(1, session(1, {**DONE, "segmentType": "WrapUp"}))], {FIRST}, False),
]


def named(details: Details) -> set[tuple[str | None, str | None]]:
    """Participants and sessions of the finished after-call work."""
    return {(event.participant_id, event.session_id) for event in finished_acw(details)}


@pytest.mark.parametrize(
    ("participants", "finished", "pending"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_wrapup_segment_with_an_end_is_done(
    participants: list[dict[str, Any]], finished: set[tuple[str, str]], pending: bool
) -> None:
    details = details_of(*participants)
    assert (named(details), details.acw_pending) == (finished, pending)


def test_a_finished_session_reads_like_its_live_event() -> None:
    voice = session(
        1,
        DONE,
        direction="inbound",
        ani="tel:+639171234567",
        dnis="tel:+6328123456",
        metrics=[{"name": "tTalk", "value": 300_000}, {"name": "tAcw", "value": 43_251}],
    )
    (event,) = finished_acw(details_of(agent(1, voice), conversationId=CONVERSATION.upper()))
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
    first, second, third = finished_acw(details_of(agent(1, sms, callback, email)))
    assert (first.media_type, first.message_type) == ("MESSAGE", "SMS")
    assert (first.address_from, first.address_to) == ("+63917", "+632")
    assert (second.media_type, second.callback_numbers) == ("CALLBACK", ("+63917",))
    assert (third.media_type, third.subject) == ("EMAIL", "Invoice")


def test_the_last_wrapup_of_a_reopened_session_is_the_valid_one() -> None:
    again = {**DONE, "segmentEnd": LATER, "wrapUpCode": "again", "queueId": "QUEUE-2"}
    (event,) = finished_acw(details_of(agent(1, session(1, again, DONE))))
    assert (event.wrapup_code, event.event_time, event.queue_id) == ("again", parse_iso(LATER), "queue-2")


@pytest.mark.parametrize(
    ("segment", "metrics", "expected"),
    [
        (DONE, None, 43_250),
        (DONE, [{"name": "tAcw", "value": 50_000}], 50_000),
        (DONE, [{"name": "tAcw", "value": 20_000}, {"name": "tAcw", "value": 30_000}], 43_250),
        (DONE, [{"name": "tAcw", "value": "long"}, "metric", {"name": "tAcw", "value": -1}], 43_250),
        (DONE, "none", 43_250),
        ({**DONE, "segmentStart": None}, None, None),
        ({**DONE, "segmentStart": LATER}, None, None),
    ],
)
def test_its_duration_is_the_metric_or_else_the_segment(segment: object, metrics: object, expected: int | None) -> None:
    (event,) = finished_acw(details_of(agent(1, session(1, segment, metrics=metrics))))
    assert event.wrapup_duration_ms == expected


@pytest.mark.parametrize(
    ("participants", "end", "expected"),
    [
        ([agent(1, session(1, DONE)), agent(2, session(2, DONE))], ENDED, True),
        ([agent(1, session(1, DONE)), agent(2, session(2, acwSkipped=True))], ENDED, True),
        ([agent(1, session(1, DONE)), agent(2, session(2))], ENDED, False),
        ([agent(1, session(1, DONE)), agent(2, session(2, BEGUN))], ENDED, False),
        ([agent(1, session(1, DONE, BEGUN))], ENDED, False),
        ([agent(1, session(1, DONE))], None, False),
        ([], ENDED, False),
        ([agent(1)], ENDED, False),
    ],
)
def test_analytics_prove_an_end_only_where_every_session_shows_its_own(
    participants: list[object], end: str | None, expected: bool
) -> None:
    assert all_wrapped_up(details_of(*participants, conversationEnd=end)) is expected


@pytest.mark.parametrize(
    ("participants", "end", "expected"),
    [
        ([agent(1, session(1, DONE), session(2, DONE))], ENDED, True),
        ([agent(1, session(1, DONE)), agent(2, session(2))], ENDED, True),
        ([agent(2, session(2, DONE))], ENDED, False),
        ([agent(1, session(1, DONE)), agent(2, session(2, BEGUN))], ENDED, False),
        ([agent(1, session(1, DONE))], None, False),
        ([], ENDED, False),
    ],
)
def test_analytics_complete_a_verdict_once_they_show_all_it_could_not_name(
    participants: list[object], end: str | None, expected: bool
) -> None:
    sure = "participant-1"
    verdict = Verdict(over=True, finished=(), nameable=False, unnamed=frozenset({sure}), unclear={sure: 1})
    assert completes(details_of(*participants, conversationEnd=end), verdict) is expected


@pytest.mark.parametrize("unnamed", [{"participant-1"}, set()], ids=["certainly done", "in doubt"])
@pytest.mark.parametrize(
    ("sessions", "complete_until", "expected"),
    [
        ([session(1, DONE)], None, False),
        ([session(1, DONE), session(2)], ACW_END, False),
        ([session(1, DONE), session(2)], LATER, True),
        ([session(1, DONE), session(2, BEGUN)], LATER, False),
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
        shown_until=parse_iso(ACW_END) + 1,
    )
    until = parse_iso(complete_until) if complete_until else None
    assert completes(details_of(agent(1, *sessions)), verdict, until) is expected


@pytest.mark.parametrize(
    ("participants", "complete_until", "expected"),
    [
        ([agent(1, session(1, DONE))], None, True),
        ([agent(1, session(1))], None, False),
        ([agent(1, session(1))], ACW_END, False),
        ([agent(1, session(1))], LATER, True),
        ([agent(1, session(1, BEGUN))], LATER, False),
    ],
)
def test_silence_about_an_agent_in_doubt_counts_only_once_analytics_had_the_time_to_learn(
    participants: list[object], complete_until: str | None, expected: bool
) -> None:
    unclear = {"participant-1": 1}
    verdict = Verdict(over=True, finished=(), nameable=False, unclear=unclear, shown_until=parse_iso(ACW_END) + 1)
    until = parse_iso(complete_until) if complete_until else None
    assert completes(details_of(*participants), verdict, until) is expected


def test_analytics_that_are_complete_up_to_the_latest_moment_have_had_the_time() -> None:
    verdict = Verdict(over=True, finished=(), nameable=False, unclear={"participant-1": 1}, shown_until=1000)
    assert completes(details_of(agent(1, session(1))), verdict, 1000)
    assert not completes(details_of(agent(1, session(1))), verdict, 999)
