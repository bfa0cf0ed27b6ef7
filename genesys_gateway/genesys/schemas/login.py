"""Answers of the login host (a token or an error), and the answers that ``check`` reads about a token."""

import math
import re

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate


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
    """One kind of topic; its name has ``{id}`` in place of an id."""

    id = fields.String(required=True)
    requiresPermissions = fields.List(fields.String(), load_default=None, allow_none=True)
    transports = fields.List(fields.String(), load_default=None, allow_none=True)


class TopicKinds(_Answer):
    """``GET /api/v2/notifications/availabletopics``."""

    entities = fields.List(fields.Nested(TopicKind), required=True, validate=validate.Length(max=100_000))


def _positive(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ValidationError("Not a number of seconds.")


class TokenAnswer(Schema):
    """Genesys docs: ``{"access_token": "…", "token_type": "bearer", "expires_in": 86399}``."""

    class Meta:
        """Genesys may add fields at any time."""

        unknown = EXCLUDE

    # The token goes into a header, where a line break would begin another header.
    access_token = fields.String(required=True, validate=validate.Regexp(re.compile(r"[!-~]{1,8192}\Z")))
    expires_in = fields.Raw(required=True, validate=_positive)


class LoginError(Schema):
    """The login host's error. Two of its three keys hold the same text; even a wrong secret gives status 400."""

    class Meta:
        """Genesys may add fields at any time."""

        unknown = EXCLUDE

    error = fields.String(required=True)
    # Of any type: they are only shown, and must not hide the error itself.
    description = fields.Raw(load_default=None)
    error_description = fields.Raw(load_default=None)


TOKEN_INFO = TokenInfo()
TOPIC_KINDS = TopicKinds()
TOKEN_ANSWER = TokenAnswer()
LOGIN_ERROR = LoginError()
