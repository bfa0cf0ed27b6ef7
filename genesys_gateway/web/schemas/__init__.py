"""The JSON of requests and replies, as marshmallow schemas.

Invariant: pure. A schema checks and converts one JSON object, and describes it for ``openapi``.

The files, in reading order:

    requests             the bodies that callers send
    replies              the bodies that callers receive
"""
