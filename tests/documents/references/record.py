"""Writes docs/record.md: the fields of a communication record, with what each may hold and where it comes from."""

from marshmallow import Schema, fields

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.record import CHANNELS, MESSAGE_CHANNELS, FirstAttemptFacts, Rules, build
from genesys_gateway.domain.record_schema import CommunicationRecord, RecordBody
from tests.documents.references.layout import code, compact_json, table

_HEAD = """# The communication record

What the gateway sends to CommunicationHistory (`POST …/communicationRecords`) for each after-call work. The header
`Idempotency-Key` is the record's `id`. Every field is present in each record; one that is not known is null. A record
that would not fit this page is not sent: it becomes a dead letter. This page is made from the code by
`make references`; do not edit it.

"""
_TABLE = ("field", "may be", "null", "where it comes from")
_EVENT = AcwEvent(
    conversation_id="3e2c5b9a-6f0e-4a57-8a53-0d8ffb9b7a11",
    participant_id="3e6dc4fe-bea8-48b7-8fa1-8eaa5c41fd64",
    session_id="9c5b8c9a-c31a-404c-a5f3-0ce2dc4c47f5",
    user_id="8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac",
    event_time=1_795_372_962_197,
    media_type="VOICE",
    direction="INBOUND",
    ani="tel:+639171234567",
    queue_id="9a58c219-a109-4a46-a1af-dd8303f12a5a",
    wrapup_code="7fb334b0-0e9e-11e4-9191-0800200c9a66",
    wrapup_notes="Sent a new card.",
    wrapup_duration_ms=43_250,
)
_FACTS = FirstAttemptFacts(
    agent_name="Maria Cruz", wrapup_name="Billing question", customer_id="c0a8012e-7f3b-4c8e-9d5a-2b1f6e4d3c2a"
)


def page() -> str:
    """The page as Markdown."""
    example = build(_EVENT.record_id, _EVENT, "live", 0, _FACTS, Rules())
    channels = [[f"`{media}`", f"`{channel}`"] for media, channel in CHANNELS.items()]
    channels += [[f"`MESSAGE` of type `{kind}`", f"`{channel}`"] for kind, channel in MESSAGE_CHANNELS.items()]
    channels += [["`MESSAGE` of any other type", "`SOCIAL_MEDIA`"], ["any other", "`OTHER`"]]
    return (
        f"{_HEAD}{table(*_TABLE, rows=_rows(CommunicationRecord()))}"
        f"\n## body\n\nWhat is special to after-call work.\n\n{table(*_TABLE, rows=_rows(RecordBody()))}"
        f"\n## channel\n\n{table('media type at Genesys', 'channel', rows=channels)}"
        f"\n## Example\n\n```json\n{compact_json(example)}\n```\n"
    )


def _rows(schema: Schema) -> list[list[str]]:
    return [
        [code(name), field.metadata["kind"], "yes" if field.allow_none else "no", field.metadata["source"]]
        for name, field in schema.fields.items()
        if isinstance(field, fields.Field)
    ]
