"""Statements that read everything about one conversation or one record, for the commands that explain them.

Invariant: they change nothing. Only :func:`record_content` reads content.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, func, select

from genesys_gateway.storage.portable import database_now
from genesys_gateway.storage.statements import owners, timeline
from genesys_gateway.storage.tables import channel, channel_place, conversation, entry, instance

_conversation = conversation.c
_entry = entry.c


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFacts:
    """The state of one record. Times are epoch milliseconds."""

    id: str
    #: pending, delivered or dead
    state: str
    #: live, backfill or supportResult
    source: str
    amended: bool
    stored_at: int
    attempt: int
    #: whether the outcome of an attempt is unknown, so that the receiver may have it
    in_doubt: bool
    #: when the current claim ends
    claimed_until: int | None
    #: whether its latest claim was not concluded yet
    claimed: bool
    next_at: int
    last_error: str | None
    #: why it is dead
    reason: str | None
    delivered_at: int | None
    erased_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFacts:
    """The state of one conversation. Times are epoch milliseconds."""

    id: str
    #: when this was read, on the database's clock
    now: int
    #: whether it is paired with a customer
    paired: bool
    created_at: int
    state: str
    outcome: str | None
    channel_id: str | None
    #: when that channel expires, unless it is handed over before
    channel_expires_at: int | None
    covered_at: int | None
    uncovered_since: int | None
    released_at: int | None
    in_doubt: bool
    due_at: int | None
    deadline_at: int
    closed_at: int | None
    last_look_at: int | None
    unknown_since: int | None
    erased_at: int | None
    #: the instance that follows it, and the one that is taking it over
    owner: str | None
    next_owner: str | None
    #: since when its owner, which has no place for its topic, has offered it to others
    offered_at: int | None
    #: when the lease of its owner ends; None if the owner is gone
    owner_lease_until: int | None
    #: since when its owner has been stopping
    owner_draining_at: int | None
    #: whether its owner has a valid lease, and what it reported as covered is covered for certain
    owner_lives: bool
    #: whether any instance has a valid lease
    gateway_lives: bool
    records: tuple[RecordFacts, ...]
    timeline: tuple[timeline.TimelineItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordContent:
    """One record with its content, which is personal data."""

    facts: RecordFacts
    conversation_id: str
    #: JSON, or None once erased
    content: str | None
    amended_content: str | None
    #: JSON; None before the first attempt
    names: str | None
    #: with whom its conversation is paired now; None if it was never registered, or once erased
    customer_id: str | None


#: Fields that are columns of the same name.
_OF_RECORD = [field.name for field in fields(RecordFacts) if field.name in _entry]
_OF_CONTENT = [field.name for field in fields(RecordContent) if field.name in _entry]
_OF_CONVERSATION = [field.name for field in fields(ConversationFacts) if field.name in _conversation]

_RECORDS = select(*(_entry[name] for name in _OF_RECORD), _entry.claimed_by).order_by(_entry.stored_at, _entry.id)


def conversation_facts(connection: Connection, conversation_id: str) -> ConversationFacts | None:
    """Return all facts about one conversation; None if it was never registered."""
    row = connection.execute(select(conversation).where(_conversation.id == conversation_id)).first()
    if row is None:
        return None
    now = database_now(connection)
    living = set(connection.execute(select(instance.c.id).where(instance.c.lease_until > now)).scalars())
    owner = connection.execute(select(instance).where(instance.c.id == row.owner)).first()
    expires_at = connection.execute(select(channel.c.expires_at).where(channel.c.id == row.channel_id)).scalar()
    return ConversationFacts(
        now=now,
        paired=row.customer_id is not None,
        channel_expires_at=expires_at,
        owner_lease_until=None if owner is None else owner.lease_until,
        owner_draining_at=None if owner is None else owner.draining_at,
        owner_lives=row.owner in living and owners.is_certain(connection, row.owner),
        gateway_lives=bool(living),
        records=tuple(_record(one) for one in connection.execute(_RECORDS.where(_entry.conversation_id == row.id))),
        timeline=timeline.of(connection, conversation_id),
        **_values_of(row, _OF_CONVERSATION),
    )


def places(connection: Connection, client: str) -> dict[str, int]:
    """Return how many places each instance of an OAuth client holds."""
    query = select(channel_place.c.owner, func.count().label("held")).where(channel_place.c.client == client)
    return {row.owner: row.held for row in connection.execute(query.group_by(channel_place.c.owner))}


def record_content(connection: Connection, record_id: str) -> RecordContent | None:
    """Return one record with its content; None if there is no such record."""
    row = connection.execute(select(entry).where(_entry.id == record_id)).first()
    if row is None:
        return None
    customer = select(_conversation.customer_id).where(_conversation.id == row.conversation_id)
    customer_id = connection.execute(customer).scalar()
    return RecordContent(facts=_record(row), customer_id=customer_id, **_values_of(row, _OF_CONTENT))


def _record(row: Row[*tuple[Any, ...]]) -> RecordFacts:
    return RecordFacts(claimed=row.claimed_by is not None, **_values_of(row, _OF_RECORD))


def _values_of(row: Row[*tuple[Any, ...]], names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
