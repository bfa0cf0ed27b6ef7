"""The body of a Genesys REST answer becomes plain values, or :class:`BadAnswer`.

Law: an answer that can't be read proves nothing. It is asked for again, and never taken for an empty one.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from marshmallow import Schema, ValidationError

from genesys_gateway.runtime.clock import parse_iso
from genesys_gateway.runtime.errors import Delayed


class BadAnswer(Delayed):
    """Genesys answered 2xx with something that is no such answer.

    Its text names fields, never their values: answers hold personal data.
    """


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        BadAnswer: It is no JSON, or no object.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:  # also for bad UTF-8 and nesting beyond 1,024 levels
        raise BadAnswer("the answer is no JSON") from None
    if not isinstance(value, dict):
        raise BadAnswer("the answer is no JSON object")
    return value


def load(schema: Schema, value: Mapping[str, Any]) -> dict[str, Any]:
    """One object by its schema.

    Raises:
        BadAnswer: An identity, or a list that holds identities, is missing or wrong.
    """
    try:
        loaded: dict[str, Any] = schema.load(value)
    except ValidationError as error:
        wrong = ", ".join(sorted(map(str, error.messages_dict)))
        raise BadAnswer(f"the answer has no usable {wrong}") from None
    return loaded


def moment(text: str | None) -> int | None:
    """Epoch milliseconds of one of Genesys's dates; None when there is none, or it is none."""
    if text is None:
        return None
    try:
        return parse_iso(text)
    except ValueError:
        return None


def lower(text: str | None) -> str | None:
    """How ids are compared and stored."""
    return text.lower() if text else None


def upper(text: str | None) -> str | None:
    """How enums are stored: notifications spell them so, REST in lower case."""
    return text.upper() if text else None
