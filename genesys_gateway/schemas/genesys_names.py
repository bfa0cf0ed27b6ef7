"""What Genesys answers about a user or a wrap-up code: we want nothing but the name."""

from marshmallow import EXCLUDE, Schema, fields


class Named(Schema):
    """``GET /api/v2/users/{id}`` and ``GET /api/v2/routing/wrapupcodes/{id}``."""

    class Meta:
        """Genesys answers much more, most of it personal."""

        unknown = EXCLUDE

    name = fields.String(load_default=None, allow_none=True)


NAMED = Named()
