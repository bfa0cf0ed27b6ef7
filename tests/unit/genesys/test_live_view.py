"""Which fields of the live view may be wrong, and which make an answer prove nothing."""

import orjson
import pytest

from genesys_gateway.genesys.call import BadAnswer
from genesys_gateway.genesys.live_view import from_answer
from genesys_gateway.runtime.errors import TransientFailure
from tests.doubles.evidence import verdict_on
from tests.doubles.genesys_answers import (
    COMPLETE,
    CONVERSATION,
    ENDED,
    agent,
    answer,
    call,
    customer,
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"direction": 5},
        {"direction": "x" * 65},
        {"type": ["sms"]},
        {"subject": {}},
        {"callbackNumbers": "+63"},
        {"fromAddress": "+63"},
        {"toAddress": {"addressRaw": 5}},
        {"wrapup": "none"},
        {"wrapup": {"code": 5, "endTime": "yesterday", "durationSeconds": "43", "notes": 1.5}},
        {"afterCallWorkRequired": "no"},
        {"somethingNew": {"of": "tomorrow"}},
    ],
)
def test_a_wrong_optional_field_counts_as_absent(wrong: dict[str, object]) -> None:
    verdict = verdict_on(agent(calls=[call(1, COMPLETE, **wrong)]))
    assert (verdict.over, len(verdict.finished)) == (True, 1)


@pytest.mark.parametrize("acw", ["complete", 5, {"state": 5}, {"state": ["complete"]}, []])
def test_an_unreadable_after_call_work_is_none_and_so_awaited(acw: object) -> None:
    assert not verdict_on(agent(calls=[call(1, acw)])).over


@pytest.mark.parametrize("end", [None, "", 5, "soon", "2026-11-22T10:05:00", "1900-01-01T00:00:00Z"])
def test_an_end_that_is_no_moment_is_no_end(end: object) -> None:
    assert not verdict_on(customer(), endTime=end).over


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"NaN",
        b"[]",
        b"null",
        b"[" * 100_000,
        b"{}",
        answer(id=None),
        answer(id=5),
        answer(id="with a blank"),
        orjson.dumps({"id": CONVERSATION, "endTime": ENDED}),
        orjson.dumps({"id": CONVERSATION, "endTime": ENDED, "participants": None}),
        orjson.dumps({"id": CONVERSATION, "endTime": ENDED, "participants": "none"}),
        answer(),
        answer(None),
        answer("participant"),
        answer(agent(id=None)),
        answer(agent(userId=5)),
        answer(agent(userId=["user-1"])),
        answer(agent(calls="none")),
        answer(agent(calls=[None])),
        answer(agent(calls=[{"state": "connected"}])),
        answer(agent(messages=[call(id=7)])),
    ],
)
def test_an_answer_without_its_identities_proves_nothing(body: bytes) -> None:
    with pytest.raises(BadAnswer) as refusal:
        from_answer(body)
    assert isinstance(refusal.value, TransientFailure)


def test_what_is_wrong_with_an_answer_is_reported_without_personal_data() -> None:
    with pytest.raises(BadAnswer) as refusal:
        from_answer(answer(customer(), agent(userId=["maria.cruz@example.org"])))
    assert "userId" in str(refusal.value)
    assert "maria" not in str(refusal.value)
