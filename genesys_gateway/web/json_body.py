"""Reads the JSON body of a request: bounded, of the right type, and only what every reader reads alike.

Law: the checks stand in the order the interface promises: size, content type, JSON.
"""

import json
from typing import Any, NoReturn

import gevent
from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, RequestTimeout, UnsupportedMediaType

#: Bytes a body may have.
LIMIT = 16 * 1024
#: Seconds in which all of it must have come: a body of this size takes milliseconds.
PATIENCE_SECONDS = 5.0


def read(request: Request) -> Any:
    """The body's JSON value.

    Raises:
        RequestTimeout: It did not come in time.
        RequestEntityTooLarge: It is over :data:`LIMIT`, also when it came in chunks and told no length.
        UnsupportedMediaType: It is not announced as ``application/json``, or as something else than UTF-8.
        BadRequest: It is not JSON, or such that two readers could take it for different things.
    """
    body = _bytes(request)
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType
    return parse(body)


def parse(body: bytes) -> Any:
    """The one value these bytes stand for. Raises BadRequest for bad UTF-8, NaN, double keys and endless nesting."""
    try:
        return json.loads(body.decode(), object_pairs_hook=_unambiguous, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest from error


def _bytes(request: Request) -> bytes:
    # This bounds what is read when no length was told; the stream calls "just as much" too much, hence one more.
    request.max_content_length = LIMIT + 1
    patience = gevent.Timeout(PATIENCE_SECONDS)
    try:
        with patience:
            body = request.get_data(cache=False)
    except gevent.Timeout as passed:
        if passed is not patience:
            raise
        raise RequestTimeout from None
    except ParseException as error:
        # gunicorn finds bad chunks only while the body is read.
        raise BadRequest from error
    if len(body) > LIMIT:
        raise RequestEntityTooLarge
    if request.content_length is not None and len(body) != request.content_length:
        raise BadRequest
    return body


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and infinity are not JSON")
