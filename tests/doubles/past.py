"""A database with a past: many conversations that were closed, delivered and erased long ago, made by SQL."""

from sqlalchemy import Connection, text

from tests.doubles.stored_rows import DAY

#: Lines in the timeline of an ordinary conversation. Each names an event and, if it is about a record, the record.
TIMELINE = (
    ("registered", False),
    ("subscribed", False),
    ("event_stored", True),
    ("delivered", True),
    ("closed", False),
    ("erased", True),
    ("erased", False),
)
#: How long ago the latest of these conversations was closed, and over how many days the closes are spread.
CLOSED_DAYS_AGO, SPREAD_DAYS = 30, 360

#: Ids that look random in their first digits, as those of Genesys do, and are the same in every run.
_ID = {
    "sqlite": "printf('%08x-0000-4000-{kind}-%012x', (n * 2654435761) % 4294967296, n)",
    "postgresql": "lpad(to_hex((n * 2654435761) % 4294967296), 8, '0') || '-0000-4000-{kind}-'"
    " || lpad(to_hex(n), 12, '0')",
}
_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)",
    "postgresql": "WITH numbers AS (SELECT generate_series(cast(:first AS bigint), cast(:last AS bigint)) AS n)",
}
_CLOSED_AT = f"(:now - {CLOSED_DAYS_AGO * DAY} - (n * 7919) % {SPREAD_DAYS * DAY})"
_CONVERSATIONS = f"""
INSERT INTO conversation (id, customer_id, state, outcome, created_at, owner, epoch, in_doubt, deadline_at, closed_at,
    missed, erased_at)
{{numbers}} SELECT {{conversation}}, NULL, 'closed', 'logged', {_CLOSED_AT} - 600000,
    '00000000-0000-4000-8000-00000000000' || (n % 10), 1, false, {_CLOSED_AT} + {3 * DAY}, {_CLOSED_AT}, 0,
    {_CLOSED_AT} + {7 * DAY} FROM numbers
"""
_REGISTRATIONS = f"""
INSERT INTO registration (conversation_id, accepted_at)
{{numbers}} SELECT {{conversation}}, {_CLOSED_AT} - 600000 FROM numbers
"""
_ENTRIES = f"""
INSERT INTO entry (id, conversation_id, participant_id, session_id, user_id, event_time, source, stored_at, state,
    attempt, claim, in_doubt, amended, next_at, delivered_at, erased_at)
{{numbers}} SELECT {{record}}, {{conversation}}, {{record}}, {{record}}, {{record}}, {_CLOSED_AT}, 'live', {_CLOSED_AT},
    'delivered', 1, 1, false, false, {_CLOSED_AT}, {_CLOSED_AT}, {_CLOSED_AT} + {7 * DAY} FROM numbers
"""
_LINE = f"""
INSERT INTO transition (conversation_id, at, event, detail)
{{numbers}} SELECT {{conversation}}, {_CLOSED_AT}, '{{event}}', {{detail}} FROM numbers
"""


def past_conversation(number: int) -> str:
    """The id of one of these conversations."""
    return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012x}"


def past_record(number: int) -> str:
    """The id of its record."""
    return past_conversation(number).replace("-4000-8000-", "-4000-9000-")


def put_past(
    connection: Connection, closed: int, *, now: int, first: int = 1, entries: bool = True, timeline: bool = True
) -> None:
    """Insert ``closed`` conversations, each with a registration, an entry and a timeline.

    Args:
        first: Number of the first one; they are numbered without gaps.
        entries: Whether each has an entry.
        timeline: Whether each has a timeline.
    """
    dialect = connection.dialect.name
    shared = {
        "numbers": _NUMBERS[dialect],
        "conversation": _ID[dialect].format(kind="8000"),
        "record": _ID[dialect].format(kind="9000"),
    }
    statements = [_CONVERSATIONS, _REGISTRATIONS]
    statements += [_ENTRIES] if entries else []
    if timeline:
        lines = [(event, shared["record"] if of_record else "NULL") for event, of_record in TIMELINE]
        statements += [_LINE.replace("{event}", event).replace("{detail}", detail) for event, detail in lines]
    bounds = {"first": first, "last": first + closed - 1, "now": now}
    for statement in statements:
        used = {name: value for name, value in bounds.items() if name != "now" or ":now" in statement}
        connection.execute(text(statement.format(**shared)), used)
