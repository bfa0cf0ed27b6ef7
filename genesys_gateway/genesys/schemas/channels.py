"""Answers about notification channels and their topic lists, and the body of Genesys's errors.

Invariant: an answer loads only if the id, which goes into paths, and the address, which is opened, are well-formed.
"""

import re
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from genesys_gateway.genesys.schemas.paced_list import PacedList

#: Not a UUID: ``streaming-0-abc…``. It becomes a segment of a path, so it must hold no separator, and is stored in a
#: column, so its length is limited.
CHANNEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}\Z")
#: Maximum length of a topic's id in characters.
_LONGEST_TOPIC = 512


class _Answer(Schema):
    class Meta:
        """Genesys may add fields at any time."""

        unknown = EXCLUDE


class Channel(_Answer):
    """``POST /api/v2/notifications/channels``."""

    id = fields.String(required=True, validate=validate.Regexp(CHANNEL_ID))
    connectUri = fields.String(required=True, validate=validate.Length(min=1, max=2048))
    expires = fields.String(required=True, validate=validate.Length(max=64))


class Topic(fields.Field[dict[str, Any]]):
    """One entry of a topic list. Only a bad id is an error: a strange reason must not hide all other topics.

    It is no nested schema, because lists hold thousands of entries: this takes a third of the time.
    """

    def _deserialize(self, value: object, *_: object, **_options: object) -> dict[str, Any]:
        topic = value.get("id") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(topic, str) or not 1 <= len(topic) <= _LONGEST_TOPIC:
            raise ValidationError("an entry has no usable id")
        return {"id": topic, "state": value.get("state"), "rejectionReason": value.get("rejectionReason")}


class Topics(_Answer):
    """A channel's topic list, or the result of a change for each topic."""

    entities = PacedList(Topic(), required=True, validate=validate.Length(max=10_000))


class Channels(_Answer):
    """``GET /api/v2/notifications/channels``; channels of other tokens have no id here."""

    entities = PacedList(fields.Dict(), required=True, validate=validate.Length(max=10_000))


class ErrorBody(_Answer):
    """Genesys docs: ``{message, code, status, contextId, details[], errors[]}``; the message may name people."""

    code = fields.String(required=True, validate=validate.Regexp(re.compile(r"[A-Za-z0-9._-]{1,100}\Z")))


CHANNEL = Channel()
TOPICS = Topics()
CHANNELS = Channels()
ERROR_BODY = ErrorBody()
