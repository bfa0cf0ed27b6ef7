"""One agent's after-call work on one conversation, and the id of its record.

Invariant: the same after-call work has the same record id in every process, for ever.
"""

from dataclasses import dataclass, fields
from uuid import UUID, uuid5

import orjson

#: Namespace of all record ids; never changes.
RECORD_NAMESPACE = UUID("0d9f3f0c-6f0e-5b52-9d3f-7a0a6c1e2b44")


@dataclass(frozen=True, slots=True, kw_only=True)
class AcwEvent:
    """One agent's finished after-call work on one conversation.

    Ids are in lower case, values of enums in upper case; a field that is absent is None.
    """

    conversation_id: str
    participant_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    #: epoch milliseconds
    event_time: int | None = None
    media_type: str | None = None
    message_type: str | None = None
    direction: str | None = None
    #: address of the calling side; of a supportResult always the customer's
    ani: str | None = None
    #: address that was called
    dnis: str | None = None
    address_to: str | None = None
    address_from: str | None = None
    callback_numbers: tuple[str, ...] = ()
    subject: str | None = None
    queue_id: str | None = None
    #: id of a wrap-up code, or a system text such as ININ-WRAP-UP-TIMEOUT
    wrapup_code: str | None = None
    wrapup_notes: str | None = None
    wrapup_duration_ms: int | None = None

    @property
    def names_session(self) -> bool:
        """Whether it names participant and session, as an answer of the REST API does."""
        return bool(self.participant_id and self.session_id)

    @property
    def identity(self) -> str | None:
        """The text from which the id of its record is computed; None if it names no after-call work.

        Genesys sends no event id. Conversation, participant and session are what both a notification and an answer of
        the REST API contain. Without them, agent and time say which after-call work it is.
        """
        if self.names_session:
            return f"{self.conversation_id}/{self.participant_id}/{self.session_id}"
        if self.user_id and self.event_time is not None:
            return f"{self.conversation_id}/user:{self.user_id}@{self.event_time}"
        return None

    @property
    def record_id(self) -> str:
        """The id of the record of this after-call work: the same in every process, for ever.

        Raises:
            ValueError: It names no after-call work.
        """
        identity = self.identity
        if identity is None:
            raise ValueError("the event names neither participant and session nor agent and time")
        return record_id(identity)

    def to_json(self) -> str:
        """The text stored in the outbox; equal events give equal texts."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "AcwEvent":
        """The event that :meth:`to_json` wrote. Fields that this version does not have are ignored."""
        values = {name: value for name, value in orjson.loads(text).items() if name in _FIELDS}
        values["callback_numbers"] = tuple(values.get("callback_numbers") or ())
        return cls(**values)


_FIELDS = frozenset(field.name for field in fields(AcwEvent))


def record_id(identity: str) -> str:
    """UUIDv5, in lower case, of the text that identifies an after-call work."""
    return str(uuid5(RECORD_NAMESPACE, identity))


@dataclass(frozen=True, slots=True, kw_only=True)
class Acw:
    """A frame that was decoded: the event in it, and what could not be used."""

    event: AcwEvent
    #: names of body fields with invalid values, which count as absent
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A frame to be put into quarantine: it could not be decoded, or its conversation was never registered."""

    #: one of a few fixed words, so that it can be the label of a metric
    reason: str
    topic: str | None = None
    #: the conversation in the topic, if there is one
    conversation_id: str | None = None
