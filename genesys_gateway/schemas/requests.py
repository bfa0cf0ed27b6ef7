"""What BOFE sends, and what it is answered."""

import re

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from genesys_gateway.clock import isoformat

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


def uuid(text: object) -> str:
    """A UUID in lower case: 8-4-4-4-12 hexadecimal digits and nothing else.

    Raises:
        ValidationError: It is anything else, also what other readers of UUIDs allow (braces, ``urn:``, no dashes).
    """
    if not isinstance(text, str) or not _UUID.fullmatch(text):
        raise ValidationError("Must be a UUID: 8-4-4-4-12 hexadecimal digits.")
    return text.lower()


class SupportInteractionRequest(Schema):
    """Body of ``POST /customers/supportInteraction``."""

    class Meta:
        """Unknown fields are ignored: BOFE may send more than we need."""

        unknown = EXCLUDE

    customer_id = fields.Function(deserialize=uuid, required=True, data_key="customerId")
    interaction_id = fields.Function(deserialize=uuid, required=True, data_key="interactionId")


class _Record(Schema):
    id = fields.String()
    state = fields.String()
    source = fields.String()
    amended = fields.Boolean()


class _TimelineItem(Schema):
    at = fields.Function(lambda item: isoformat(item.at))
    event = fields.String()
    detail = fields.String(allow_none=True)


class SupportInteractionReply(Schema):
    """What is known of an interaction; dumped from a ``ConversationView``."""

    interaction_id = fields.String(data_key="interactionId")
    customer_id = fields.String(data_key="customerId", allow_none=True)
    created_at = fields.Function(lambda view: isoformat(view.created_at), data_key="createdAt")
    state = fields.String()
    outcome = fields.String(allow_none=True)
    records = fields.List(fields.Nested(_Record))
    timeline = fields.List(fields.Nested(_TimelineItem))
