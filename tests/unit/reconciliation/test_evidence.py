"""What the live view proves: is a conversation over, and whose after-call work is done?

Analytics have tests of their own, in test_evidence_of_analytics.py.
"""

from typing import Any

import pytest

from genesys_gateway.reconciliation.evidence import Verdict
from genesys_gateway.runtime.clock import parse_iso
from tests.doubles.evidence import verdict_on
from tests.doubles.genesys_answers import (
    ACW_END,
    ACW_START,
    COMPLETE,
    DRAFT,
    ENDED,
    NOT_APPLICABLE,
    PENDING,
    SKIPPED,
    TWO_HOURS_LATER,
    WRAPUP,
    agent,
    call,
    customer,
)


def named(verdict: Verdict) -> set[tuple[str | None, str | None]]:
    return {(event.participant_id, event.session_id) for event in verdict.finished}


FIRST = ("participant-1", "session-1")
SECOND = ("participant-2", "session-2")

#: Case, agents of a conversation that has ended, and what is proved: over, named after-call work, all of it named.
ENDINGS: list[tuple[str, list[dict[str, Any]], bool, set[tuple[str, str]], bool]] = [
    ("only the customer", [customer()], True, set(), True),
    ("complete", [agent(calls=[call(1, COMPLETE)], wrapup=WRAPUP)], True, {FIRST}, True),
    ("complete by its own wrap-up", [agent(calls=[call(1, COMPLETE, wrapup=WRAPUP)])], True, {FIRST}, True),
    ("complete without a code", [agent(calls=[call(1, COMPLETE)])], True, {FIRST}, True),
    (
        "complete by time-out",
        [agent(calls=[call(1, COMPLETE)], wrapup={"code": "ININ-WRAP-UP-TIMEOUT"})],
        True,
        {FIRST},
        True,
    ),
    ("pending", [agent(calls=[call(1, PENDING)])], False, set(), True),
    (
        "pending though a code is set: no early exit",
        [agent(calls=[call(1, PENDING)], wrapup=WRAPUP)],
        False,
        set(),
        True,
    ),
    ("pending for hours", [agent(calls=[call(1, PENDING)], startAcwTime=ACW_START)], False, set(), True),
    ("skipped", [agent(calls=[call(1, SKIPPED)])], True, set(), True),
    ("not applicable", [agent(calls=[call(1, NOT_APPLICABLE)])], True, set(), True),
    ("not applicable beside a wrap-up", [agent(calls=[call(1, NOT_APPLICABLE)], wrapup=WRAPUP)], True, set(), True),
    ("complete but a draft", [agent(calls=[call(1, COMPLETE)], wrapup=DRAFT)], False, set(), True),
    ("complete but its own wrap-up a draft", [agent(calls=[call(1, COMPLETE, wrapup=DRAFT)])], False, set(), True),
    (
        "complete, and only the participant's wrap-up a draft",
        [agent(calls=[call(1, COMPLETE, wrapup=WRAPUP)], wrapup=DRAFT)],
        True,
        {FIRST},
        True,
    ),
    # "Silent": Genesys states nothing for the communication, so the participant decides.
    ("silent, required", [agent(calls=[call()])], False, set(), True),
    (
        "silent, required by the agent's request",
        [agent(wrapupRequired=False, calls=[call(afterCallWorkRequired=True)])],
        False,
        set(),
        True,
    ),
    ("silent, required, skipped", [agent(calls=[call()], wrapupSkipped=True)], True, set(), True),
    ("silent, required, wrapped up", [agent(calls=[call()], wrapup=WRAPUP)], True, {FIRST}, True),
    (
        "silent, wrapped up with an end but no code",
        [agent(calls=[call()], wrapup={"endTime": ACW_END})],
        True,
        {FIRST},
        True,
    ),
    ("silent, required, a draft", [agent(calls=[call()], wrapup=DRAFT)], False, set(), True),
    ("silent, required, an empty wrap-up", [agent(calls=[call()], wrapup={})], False, set(), True),
    ("silent, required, notes alone", [agent(calls=[call()], wrapup={"notes": "n"})], False, set(), True),
    ("silent, not required: no ACW at all", [agent(wrapupRequired=False, calls=[call()])], True, set(), True),
    ("silent, required not stated", [agent(wrapupRequired=None, calls=[call()])], True, set(), True),
    (
        "silent, not required, yet begun",
        [agent(wrapupRequired=False, calls=[call()], startAcwTime=ACW_START)],
        False,
        set(),
        True,
    ),
    (
        "silent, not required, begun and ended without a wrap-up: analytics decide",
        [agent(wrapupRequired=False, calls=[call()], startAcwTime=ACW_START, endAcwTime=ACW_END)],
        True,
        set(),
        False,
    ),
    (
        "silent, required, begun and ended without a wrap-up",
        [agent(calls=[call()], startAcwTime=ACW_START, endAcwTime=ACW_END)],
        False,
        set(),
        True,
    ),
    (
        "silent, skipped and wrapped up: analytics decide",
        [agent(calls=[call()], wrapupSkipped=True, wrapup=WRAPUP)],
        True,
        set(),
        False,
    ),
    ("state unknown counts as none", [agent(calls=[call(1, {"state": "unknown"})])], False, set(), True),
    (
        "a state that is not known yet counts as none",
        [agent(calls=[call(1, {"state": "delegated"})], wrapup=WRAPUP)],
        True,
        {FIRST},
        True,
    ),
    ("silent, its own wrap-up", [agent(calls=[call(wrapup=WRAPUP)])], True, {FIRST}, True),
    ("an unknown medium, required", [agent()], False, set(), True),
    ("an unknown medium, not required", [agent(wrapupRequired=False)], True, set(), True),
    ("an unknown medium, wrapped up", [agent(wrapup=WRAPUP)], True, set(), False),
    ("an agent who did not answer", [agent(wrapupRequired=False, calls=[call()])], True, set(), True),
    ("any purpose, if it has a user", [agent(purpose="user", calls=[call(1, PENDING)])], False, set(), True),
    # Several communications of one participant.
    (
        "a callback: one wrap-up of the participant tags both",
        [agent(callbacks=[call(1, COMPLETE)], calls=[call(2, COMPLETE)], wrapup=WRAPUP)],
        True,
        set(),
        False,
    ),
    (
        "a callback whose communications are silent",
        [agent(callbacks=[call(1)], calls=[call(2)], wrapup=WRAPUP)],
        True,
        set(),
        False,
    ),
    (
        "a callback wrapped up by communication: only the call is",
        [agent(callbacks=[call(1, NOT_APPLICABLE)], calls=[call(2, COMPLETE, wrapup=WRAPUP)])],
        True,
        {("participant-1", "session-2")},
        True,
    ),
    (
        "a callback wrapped up by communication, its own state silent: analytics decide",
        [agent(callbacks=[call(1)], calls=[call(2, COMPLETE, wrapup=WRAPUP)])],
        True,
        {("participant-1", "session-2")},
        False,
    ),
    (
        "two communications, each with its own wrap-up",
        [agent(calls=[call(1, COMPLETE, wrapup=WRAPUP)], messages=[call(2, COMPLETE, wrapup=WRAPUP)])],
        True,
        {FIRST, ("participant-1", "session-2")},
        True,
    ),
    (
        "two communications, one with its own wrap-up: the other can't be named",
        [agent(calls=[call(1, COMPLETE, wrapup=WRAPUP), call(2, COMPLETE)])],
        True,
        {FIRST},
        False,
    ),
    (
        "a callback whose communications carry copies of the participant's wrap-up",
        [agent(callbacks=[call(1, COMPLETE, wrapup=WRAPUP)], calls=[call(2, COMPLETE, wrapup=WRAPUP)], wrapup=WRAPUP)],
        True,
        set(),
        False,
    ),
    (
        "one done, one pending",
        [agent(calls=[call(1, COMPLETE), call(2, PENDING)], wrapup=WRAPUP)],
        False,
        {FIRST},
        True,
    ),
    (
        "a reopened message: done before, at it again",
        [agent(messages=[call(1, COMPLETE, wrapup=WRAPUP), call(2, PENDING)])],
        False,
        {FIRST},
        True,
    ),
    # Several agents.
    (
        "a transfer: both done",
        [
            agent(1, calls=[call(1, COMPLETE)], wrapup=WRAPUP),
            agent(2, calls=[call(2, COMPLETE)], wrapup=WRAPUP),
        ],
        True,
        {FIRST, SECOND},
        True,
    ),
    (
        "a transfer: the second still at it",
        [agent(1, calls=[call(1, COMPLETE)], wrapup=WRAPUP), agent(2, calls=[call(2, PENDING)])],
        False,
        {FIRST},
        True,
    ),
    (
        "a transfer: the first still at it, hours later",
        [agent(1, calls=[call(1, PENDING)]), agent(2, calls=[call(2, COMPLETE)], wrapup=WRAPUP)],
        False,
        {SECOND},
        True,
    ),
    (
        "a consult: the agent consulted has none",
        [
            agent(1, calls=[call(1, COMPLETE)], wrapup=WRAPUP),
            agent(2, calls=[call(2, NOT_APPLICABLE)], wrapupRequired=False),
        ],
        True,
        {FIRST},
        True,
    ),
    (
        "a conference of three",
        [
            agent(1, calls=[call(1, COMPLETE)], wrapup=WRAPUP),
            agent(2, calls=[call(2, SKIPPED)]),
            agent(3, calls=[call(3, COMPLETE)], wrapup=WRAPUP),
        ],
        True,
        {FIRST, ("participant-3", "session-3")},
        True,
    ),
    (
        "the same agent twice",
        [
            agent(1, calls=[call(1, COMPLETE)], wrapup=WRAPUP),
            agent(2, userId="user-1", calls=[call(2, COMPLETE)], wrapup=WRAPUP),
        ],
        True,
        {FIRST, SECOND},
        True,
    ),
    (
        "one agent's doubt leaves another's certainty alone",
        [
            agent(1, callbacks=[call(3, COMPLETE)], calls=[call(4, COMPLETE)], wrapup=WRAPUP),
            agent(2, calls=[call(2, COMPLETE)], wrapup=WRAPUP),
        ],
        True,
        {SECOND},
        False,
    ),
]


@pytest.mark.parametrize(
    ("agents", "over", "finished", "nameable"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS]
)
def test_an_answer_proves_what_it_shows_and_no_more(
    agents: list[dict[str, Any]], over: bool, finished: set[tuple[str, str]], nameable: bool
) -> None:
    verdict = verdict_on(customer(), *agents)
    assert (verdict.over, named(verdict), verdict.nameable) == (over, finished, nameable)


@pytest.mark.parametrize("agents", [row[1] for row in ENDINGS], ids=[row[0] for row in ENDINGS])
def test_a_conversation_without_an_end_is_never_over_but_names_what_is_done(agents: list[dict[str, Any]]) -> None:
    ended, going_on = verdict_on(*agents), verdict_on(*agents, endTime=None)
    assert not going_on.over
    assert (named(going_on), going_on.nameable) == (named(ended), ended.nameable)


def test_what_is_certainly_done_but_not_named_is_told_by_participant() -> None:
    callback = agent(1, callbacks=[call(1)], calls=[call(2)], wrapup=WRAPUP)
    doubtful = agent(2, calls=[call(3)], wrapupSkipped=True, wrapup=WRAPUP)
    verdict = verdict_on(callback, doubtful, agent(3, calls=[call(4, COMPLETE)]))
    assert verdict.unnamed == {"participant-1"}
    assert verdict.unclear == {"participant-1": 2, "participant-2": 1}


def test_beside_a_session_that_is_named_one_in_doubt_counts_too() -> None:
    verdict = verdict_on(agent(1, calls=[call(1, wrapup=WRAPUP), call(2)], wrapupRequired=True))
    assert named(verdict) == {FIRST}
    assert (verdict.unnamed, verdict.unclear) == (frozenset(), {"participant-1": 2})


def test_the_latest_moment_of_an_answer_is_told_so_that_analytics_can_be_waited_for() -> None:
    assert verdict_on(customer()).shown_until == parse_iso(ENDED)
    assert verdict_on(agent(calls=[call(1, SKIPPED)])).shown_until == parse_iso(ENDED)
    assert verdict_on(agent(calls=[call(1, COMPLETE)], endAcwTime="bad")).shown_until == parse_iso(ACW_END)
    assert verdict_on(agent(endAcwTime=TWO_HOURS_LATER)).shown_until == parse_iso(TWO_HOURS_LATER)
    assert verdict_on(customer(), endTime=None).shown_until is None


def test_participants_without_a_user_are_not_agents_whatever_they_hold() -> None:
    flow = {"id": 7, "purpose": "ivr", "wrapupRequired": True, "calls": "none", "userId": None}
    queue = {"purpose": "acd", "calls": [call(1, PENDING)], "userId": ""}
    assert verdict_on(flow, queue) == Verdict(over=True, finished=(), nameable=True, shown_until=parse_iso(ENDED))
