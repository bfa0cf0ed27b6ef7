"""Answers about the names of several users or wrap-up codes.

Invariant: only a missing list of entities makes an answer unreadable. Each entity is loaded on its own.
"""

import re

from marshmallow import EXCLUDE, Schema, fields, validate

from genesys_gateway.genesys.schemas.paced_list import PacedList

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")


class _Answer(Schema):
    class Meta:
        """Genesys may add fields at any time."""

        unknown = EXCLUDE


class Named(_Answer):
    """``User`` or ``WrapupCode``; the name of a deleted one may be null."""

    id = fields.String(required=True, validate=validate.Regexp(_ID))
    name = fields.Raw(allow_none=True, load_default=None)


class Names(_Answer):
    """One page of ``GET /api/v2/users`` or ``GET /api/v2/routing/wrapupcodes``."""

    entities = PacedList(fields.Raw(allow_none=True), required=True, validate=validate.Length(max=10_000))


NAMED = Named()
NAMES = Names()
