"""Reads the query of a list: each parameter once, and only values that the list knows; refuses what is not there.

Invariant: a value that is not understood is refused, never ignored: an operator who mistypes a filter must not take all
for what was asked for.
"""

import re
from collections.abc import Callable, Collection
from typing import TypeVar

from flask import request
from marshmallow import ValidationError

from genesys_gateway.oversight.paging import NotOfThisList
from genesys_gateway.web.problems import Explained, InvalidRequest
from genesys_gateway.web.schemas.requests import uuid

T = TypeVar("T")

#: The outcome by which conversations can be filtered.
UNRESOLVED = "unresolved"
_NO_SUCH_RECORD = "There is no such record."
#: Lines of a page, and the maximum.
LIMIT, MOST = 100, 1000
_NUMBER = re.compile("[1-9][0-9]{0,3}")
_DASHES = (8, 13, 18, 23)
_DIGITS = frozenset("0123456789abcdefABCDEF")
_ID_LENGTH = 36


def limit() -> int:
    """Number of lines of the page. Raises InvalidRequest."""
    text = _once("limit")
    if text is None:
        return LIMIT
    if not _NUMBER.fullmatch(text) or int(text) > MOST:
        raise InvalidRequest({"limit": [f"Must be a number from 1 to {MOST}."]})
    return int(text)


def cursor() -> str | None:
    """The cursor of the page; None for the first one. Raises InvalidRequest if there are several."""
    return _once("cursor")


def of_list(read: Callable[[], T]) -> T:
    """What ``read`` returns. Raises InvalidRequest if the cursor is none of its list."""
    try:
        return read()
    except NotOfThisList:
        text = "Must be the value of next of a page of this list, with the same filters."
        raise InvalidRequest({"cursor": [text]}) from None


def found(value: T | None) -> T:
    """What was found about a record. Raises Explained (404) for None."""
    if value is None:
        raise Explained(404, _NO_SUCH_RECORD)
    return value


def state(known: Collection[str]) -> str | None:
    """The state of what is listed; None for all. Raises InvalidRequest."""
    text = _once("state")
    if text is not None and text not in known:
        raise InvalidRequest({"state": [f"Must be one of: {', '.join(known)}."]})
    return text


def only_unresolved() -> bool:
    """Whether only conversations that were closed as unresolved are listed. Raises InvalidRequest."""
    text = _once("outcome")
    if text is not None and text != UNRESOLVED:
        raise InvalidRequest({"outcome": [f"Must be {UNRESOLVED}."]})
    return text is not None


def beginning() -> str | None:
    """The beginning of the ids that are listed, in lower case; None for all. Raises InvalidRequest."""
    text = _once("q")
    if text is None:
        return None
    if not begins_an_id(text):
        raise InvalidRequest({"q": ["Must be an interaction id or its beginning: hexadecimal digits and dashes."]})
    return text.lower()


def begins_an_id(text: str) -> bool:
    """Whether an id can begin with this text, which is not empty."""
    fits = (one == "-" if at in _DASHES else one in _DIGITS for at, one in enumerate(text))
    return 0 < len(text) <= _ID_LENGTH and all(fits)


def is_whole_id(text: str) -> bool:
    """Whether this is an id with all of its characters."""
    return len(text) == _ID_LENGTH and begins_an_id(text)


def path_id(name: str, text: str) -> str:
    """An id from the path, in lower case. Raises InvalidRequest."""
    try:
        return uuid(text)
    except ValidationError as error:
        raise InvalidRequest({name: list(error.messages)}) from error


def _once(name: str) -> str | None:
    values = request.args.getlist(name)
    if len(values) > 1:
        raise InvalidRequest({name: ["Must be given once."]})
    return values[0] if values else None
