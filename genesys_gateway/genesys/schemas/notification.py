"""The body of an after-call-work notification. As in Genesys's own schema, every field is optional.

Invariant: only a field that identifies the after-call work can make a notification unreadable; the caller drops any
other wrong field and reports its name.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields

from genesys_gateway.runtime.clock import LAST_MOMENT

#: The fields that identify the after-call work.
IDENTITY_FIELDS = frozenset({"conversationId", "participantId", "sessionId"})

#: Maximum number of callback numbers; real events have fewer.
_MOST_NUMBERS = 100
#: An id, or the empty text, which is as good as an absent one.
_IDENTIFIER = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._:-]{0,63})?\Z")


class _Checked(fields.Field[Any]):
    """A field whose value is kept as it is if one check accepts it.

    Every event passes twelve of them. The chain of calls of marshmallow's own fields takes four times as long.
    """

    def __init__(self, fits: Callable[[Any], object]) -> None:
        super().__init__()
        self._fits = fits

    def deserialize(self, value: object, *_args: Any, **_kwargs: Any) -> Any:
        """The value itself. Raises ValidationError if it does not fit."""
        if not self._fits(value):
            raise ValidationError("Not what this field holds.")
        return value


def _text(most: int = 20_000) -> _Checked:
    return _Checked(lambda value: isinstance(value, str) and len(value) <= most)


def _identifier() -> _Checked:
    return _Checked(lambda value: isinstance(value, str) and _IDENTIFIER.match(value))


def _millis() -> _Checked:
    """Milliseconds as a JSON integer, not as a bool, a float or a text."""
    return _Checked(lambda value: type(value) is int and 0 <= value <= LAST_MOMENT)


def _are_numbers(value: object) -> bool:
    if not isinstance(value, list) or len(value) > _MOST_NUMBERS:
        return False
    return all(isinstance(number, str) and len(number) <= 500 for number in value)


class AcwBody(Schema):
    """``eventBody`` of ``v2.detail.events.conversation.{id}.acw``; the fields are those of the official SDK's model.

    Genesys may add fields at any time.
    """

    conversationId = _identifier()
    participantId = _identifier()
    sessionId = _identifier()
    userId = _identifier()
    queueId = _identifier()
    eventTime = _millis()
    mediaType = _text(64)
    messageType = _text(64)
    direction = _text(64)
    ani = _text(500)
    dnis = _text(500)
    addressTo = _text(500)
    addressFrom = _text(500)
    callbackNumbers = _Checked(_are_numbers)
    subject = _text()
    wrapupCode = _text(200)
    wrapupNotes = _text()
    wrapupDurationMs = _millis()

    def read(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
        """Return the values of the fields that are there and right, and the names of those that are wrong.

        A field of null is not there. :meth:`load` would take four times as long.
        """
        values, wrong = {}, set()
        for name, field in self.load_fields.items():
            value = body.get(name)
            if value is not None:
                try:
                    values[name] = field.deserialize(value)
                except ValidationError:
                    wrong.add(name)
        return values, frozenset(wrong)


#: One schema for the whole process: building one takes longer than reading an event.
ACW_BODY = AcwBody()
