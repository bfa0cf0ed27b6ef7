"""Are the answers what their schemas say?"""

from typing import Any

import pytest
from marshmallow import RAISE, Schema, fields

from genesys_gateway.intake.support_result import IntakeResult
from genesys_gateway.storage.statements.conversations import ConversationView, RecordView
from genesys_gateway.storage.statements.intake import SupportResultReceipt
from genesys_gateway.storage.statements.timeline import TimelineItem
from genesys_gateway.web.schemas import replies
from tests.doubles.web import CUSTOMER, INTERACTION

RECORD = RecordView(id=CUSTOMER, state="dead", source="supportResult", amended=True)
REGISTERED = TimelineItem(at=1_764_367_200_123, event="registered", detail=None)
DEAD = TimelineItem(at=1_764_367_200_124, event="dead", detail="HTTP 422")


def view(**changes: Any) -> ConversationView:
    shown: dict[str, Any] = {
        "interaction_id": INTERACTION,
        "customer_id": CUSTOMER,
        "created_at": 1_764_367_200_000,
        "state": "closed",
        "outcome": "logged",
        "records": (RECORD,),
        "timeline": (REGISTERED, DEAD),
    }
    return ConversationView(**(shown | changes))


def assert_described(answer: dict[str, Any], schema: Schema) -> None:
    """The answer has exactly the fields of its schema, in each of its objects, and values that the schema takes."""
    schema.load(answer, unknown=RAISE)
    for field in schema.fields.values():
        if isinstance(field, fields.List) and isinstance(field.inner, fields.Nested):
            for one in answer[str(field.data_key or field.name)]:
                assert_described(one, field.inner.schema)


@pytest.mark.parametrize(
    "changes", [{}, {"records": (), "timeline": ()}, {"customer_id": None, "outcome": None, "state": "pending"}]
)
def test_an_interaction_is_what_its_schema_says(changes: dict[str, Any]) -> None:
    assert_described(replies.interaction(view(**changes)), replies.SupportInteractionReply())


def test_an_interaction_is_shown_with_its_records_and_its_timeline() -> None:
    assert replies.interaction(view()) == {
        "interactionId": INTERACTION,
        "customerId": CUSTOMER,
        "createdAt": "2025-11-28T22:00:00.000Z",
        "state": "closed",
        "outcome": "logged",
        "records": [{"id": CUSTOMER, "state": "dead", "source": "supportResult", "amended": True}],
        "timeline": [
            {"at": "2025-11-28T22:00:00.123Z", "event": "registered", "detail": None},
            {"at": "2025-11-28T22:00:00.124Z", "event": "dead", "detail": "HTTP 422"},
        ],
    }


def test_the_record_of_a_support_result_is_what_its_schema_says() -> None:
    receipt = SupportResultReceipt(result=IntakeResult.STORED, record_id=CUSTOMER, state="pending")

    assert_described(replies.support_result(receipt), replies.SupportResultReply())
