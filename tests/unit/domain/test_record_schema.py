"""The check of a communication record before it is sent."""

import pytest

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.record import FirstAttemptFacts, Record, Rules, build
from genesys_gateway.domain.record_schema import mistakes

RECORD = "ba64499a-19bd-52da-85ab-8a99e663314a"
EVENT = AcwEvent(
    conversation_id="633ba5f4-38cd-48fc-bb4c-d77057990b9e",
    participant_id="298c6ba8-fec0-428c-9b8f-385b9f80854f",
    session_id="aba6f468-0377-4258-b016-71884bca5d38",
)


@pytest.fixture
def record() -> Record:
    """A valid one."""
    return build(RECORD, EVENT, "live", 1_763_805_600_000, FirstAttemptFacts(), Rules())


def test_a_record_as_it_is_built_has_no_mistakes(record: Record) -> None:
    assert mistakes(record) == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", RECORD.upper()),
        ("direction", "UNKNOWN"),
        ("communicatedAt", "2026-11-22T10:00:00Z"),
        ("source", "OTHER"),
        ("channel", "FAX"),
        ("domain", ""),
        ("customerId", "somebody"),
        ("customerHandle", ""),
        ("interactionId", None),
        ("purpose", None),
        ("title", ""),
        ("body", {}),
        ("surprise", 1),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(record: Record, field: str, value: object) -> None:
    assert mistakes({**record, field: value}) == (field,)


@pytest.mark.parametrize(
    ("field", "value"),
    [("agentId", ""), ("agentName", 7), ("afterCallWorkMs", -1), ("eventSource", None), ("surprise", None)],
)
def test_a_wrong_field_of_the_body_makes_the_body_wrong(record: Record, field: str, value: object) -> None:
    assert mistakes({**record, "body": {**record["body"], field: value}}) == ("body",)


def test_a_missing_field_is_a_mistake(record: Record) -> None:
    del record["customerId"]

    assert mistakes(record) == ("customerId",)
