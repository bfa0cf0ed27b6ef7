"""What Genesys answers to the questions that only the command ``check`` asks."""

from marshmallow import EXCLUDE, Schema, fields, validate


class _Answer(Schema):
    class Meta:
        """Genesys may add fields at any time."""

        unknown = EXCLUDE


class _Named(_Answer):
    id = fields.String(load_default=None, allow_none=True)
    name = fields.String(load_default=None, allow_none=True)


class TokenInfo(_Answer):
    """``GET /api/v2/tokens/me``; every field is optional."""

    organization = fields.Nested(_Named, load_default=None, allow_none=True)
    OAuthClient = fields.Nested(_Named, load_default=None, allow_none=True)
    authorizedScope = fields.List(fields.String(), load_default=None, allow_none=True)


class TopicKind(_Answer):
    """One kind of topic, with ``{id}`` where an id goes."""

    id = fields.String(required=True)
    requiresPermissions = fields.List(fields.String(), load_default=None, allow_none=True)
    transports = fields.List(fields.String(), load_default=None, allow_none=True)


class TopicKinds(_Answer):
    """``GET /api/v2/notifications/availabletopics``."""

    entities = fields.List(fields.Nested(TopicKind), required=True, validate=validate.Length(max=100_000))


TOKEN_INFO = TokenInfo()
TOPIC_KINDS = TopicKinds()
