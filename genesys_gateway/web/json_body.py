"""Reads the JSON body of a request: bounded in size and time, and only JSON that every parser reads alike.

Invariant: the checks are made in the order the interface promises: size, content type, JSON.
"""

import json
from typing import Any, NoReturn

import gevent
from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, RequestTimeout, UnsupportedMediaType

#: Maximum size of a body in bytes.
LIMIT = 16 * 1024
#: Seconds within which the whole body must arrive. A body of the maximum size takes milliseconds.
BODY_SECONDS = 5.0

#: Key in a request's environment of the body that was read.
_READ = "genesys_gateway.body"


def read(request: Request, seconds: float = BODY_SECONDS) -> Any:
    """The body's JSON value.

    Args:
        request: The request; its body must not have been read yet.
        seconds: Time within which the whole body must arrive.

    Raises:
        RequestTimeout: The body did not arrive in time.
        RequestEntityTooLarge: It is larger than :data:`LIMIT`; a chunked body without a length is limited as well.
        UnsupportedMediaType: The content type is not ``application/json``, or its charset is not UTF-8.
        BadRequest: It is not JSON, or is ambiguous JSON (see :func:`parse`), or not as long as announced.
    """
    body = content(request, seconds)
    if request.content_type != "application/json" and not _is_json(request):
        raise UnsupportedMediaType
    return parse(body)


def parse(body: bytes) -> Any:
    """The JSON value in these bytes. Raises BadRequest for bad UTF-8, NaN, duplicate keys and too deep nesting."""
    try:
        return json.loads(body.decode(), object_pairs_hook=_without_duplicates, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest from error


def _is_json(request: Request) -> bool:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    return request.mimetype == "application/json" and charset in ("utf-8", "utf8")


def content(request: Request, seconds: float = BODY_SECONDS) -> bytes:
    """The bytes of the body, whatever its content type; a repetition returns the same.

    Raises:
        RequestTimeout, RequestEntityTooLarge, BadRequest: As :func:`read`.
    """
    known: bytes | None = request.environ.get(_READ)
    if known is not None:
        return known
    announced = request.content_length
    if announced is not None and announced > LIMIT:
        raise RequestEntityTooLarge
    limit = gevent.Timeout(seconds)
    try:
        with limit:
            # Not by werkzeug, which takes three times as long. gunicorn ends the stream where the body ends.
            body: bytes = request.environ["wsgi.input"].read(LIMIT + 1)
    except gevent.Timeout as passed:
        if passed is not limit:
            raise
        raise RequestTimeout from None
    except (ParseException, OSError) as error:
        # gunicorn parses chunks only while the body is read; or the caller has gone.
        raise BadRequest from error
    if len(body) > LIMIT:
        raise RequestEntityTooLarge
    if announced is not None and len(body) != announced:
        raise BadRequest
    request.environ[_READ] = body
    return body


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _reject_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and infinity are not JSON")
