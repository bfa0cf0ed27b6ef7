"""Answers about notification channels and their topic lists, and the body of Genesys's errors.

Invariant: an answer loads only if the id, which goes into paths, and the address, which is opened, are well-formed.
"""

import re

from marshmallow import EXCLUDE, Schema, fields, validate

from genesys_gateway.genesys.schemas.paced_list import PacedList

#: Not a UUID: ``streaming-0-abc…``. It becomes a segment of a path, so it must hold no separator, and is stored in a
#: column, so its length is limited.
CHANNEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}\Z")


class _Answer(Schema):
    class Meta:
        """Genesys may add fields at any time."""

        unknown = EXCLUDE


class Channel(_Answer):
    """``POST /api/v2/notifications/channels``."""

    id = fields.String(required=True, validate=validate.Regexp(CHANNEL_ID))
    connectUri = fields.String(required=True, validate=validate.Length(min=1, max=2048))
    expires = fields.String(required=True, validate=validate.Length(max=64))


class Topic(_Answer):
    """One entry of a topic list. Only a bad id is an error: a strange reason must not hide all other topics."""

    id = fields.String(required=True, validate=validate.Length(min=1, max=512))
    state = fields.Raw(load_default=None)
    rejectionReason = fields.Raw(load_default=None)


class Topics(_Answer):
    """A channel's topic list, or the result of a change for each topic."""

    entities = PacedList(fields.Nested(Topic), required=True, validate=validate.Length(max=10_000))


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
