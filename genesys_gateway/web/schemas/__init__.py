"""The JSON of requests and replies, and their marshmallow schemas.

Invariant: pure. A schema describes one JSON object for ``openapi``; that of a request checks and converts it, too.

The files, in reading order:

    requests             the bodies that callers send
    replies              the bodies that callers receive, made without their schemas because that is faster
    ops                  the same below ``/ops/api/``
"""
