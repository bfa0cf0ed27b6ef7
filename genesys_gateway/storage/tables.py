"""The tables, the same for SQLite and PostgreSQL.

Invariant: points in time are epoch milliseconds (``*_at``), ids are lower-case text, and no row of ``registration`` is
ever deleted, because the balance is computed from it.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text, false, text

metadata = MetaData()

_ID = String(36)
#: SQLite numbers rows by itself only if the type of the key is exactly INTEGER.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")


def _index_of_unerased(name: str, since: str) -> Index:
    """An index for retention, without the erased rows, which stay in the table for ever."""
    where = text(f"erased_at IS NULL AND {since} IS NOT NULL")
    return Index(name, since, sqlite_where=where, postgresql_where=where)


#: One row for each conversation whose registration was ever answered with 2xx; append-only.
registration = Table(
    "registration",
    metadata,
    Column("conversation_id", _ID, primary_key=True),
    Column("accepted_at", BigInteger, nullable=False),
)

#: A conversation that is or was followed.
conversation = Table(
    "conversation",
    metadata,
    Column("id", _ID, primary_key=True),
    #: null once erased
    Column("customer_id", _ID),
    #: pending | subscribed | closed
    Column("state", String(16), nullable=False),
    #: logged | no_acw | unresolved; null while followed
    Column("outcome", String(16)),
    Column("created_at", BigInteger, nullable=False),
    #: instance that follows it
    Column("owner", _ID),
    #: number of times that an instance has adopted it
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("channel_id", String(128)),
    #: since when an event may have been missed; null while a confirmed subscription covers it
    Column("uncovered_since", BigInteger),
    #: start of the latest coverage since it was registered; only an answer taken later ends the doubt
    Column("covered_at", BigInteger),
    #: whether an event may have been lost in a gap that no answer has cleared yet
    Column("in_doubt", Boolean, nullable=False, server_default=false()),
    #: when the next question to Genesys is due; null when closed
    Column("due_at", BigInteger),
    #: when the latest answer of Genesys's live view was taken
    Column("looked_at", BigInteger),
    #: number of due questions answered since something last happened to it; the schedule depends on it
    Column("asked", Integer, nullable=False, server_default=text("0")),
    #: after this moment the next answer of Genesys closes it, unless that shows it going on
    Column("deadline_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    #: when the last look, the one question after the close, is due; null once answered
    Column("last_look_at", BigInteger),
    #: after-call works that only the last look found; each is a failure of this service
    Column("missed", Integer, nullable=False, server_default=text("0")),
    #: since when Genesys answers 404 for it
    Column("unknown_since", BigInteger),
    Column("erased_at", BigInteger),
    Index("conversation_state", "state"),
    Index("conversation_due", "due_at"),
    Index("conversation_channel", "channel_id"),
    Index("conversation_last_look", "last_look_at"),
    Index("conversation_customer", "customer_id"),
    _index_of_unerased("conversation_to_erase", "closed_at"),
)

#: The outbox: one row for each after-call work that was or will be sent to CommunicationHistory.
entry = Table(
    "entry",
    metadata,
    #: the record id
    Column("id", _ID, primary_key=True),
    Column("conversation_id", _ID, nullable=False),
    Column("participant_id", String(64)),
    Column("session_id", String(64)),
    Column("user_id", String(64)),
    #: time of the after-call work, as given by its source
    Column("event_time", BigInteger),
    #: live | backfill | supportResult
    Column("source", String(16), nullable=False),
    #: the event as JSON; null once erased
    Column("content", Text),
    Column("stored_at", BigInteger, nullable=False),
    #: id under which the counterpart (event or supportResult) reported the same after-call work later
    Column("twin_id", _ID),
    #: whether other content came later; the first event after a supportResult always differs, so it does not count
    Column("amended", Boolean, nullable=False, server_default=false()),
    #: the content that came later; it is not sent
    Column("amended_content", Text),
    #: pending | delivered | dead
    Column("state", String(16), nullable=False),
    #: why it is dead
    Column("reason", String(200)),
    #: number of attempts that have begun
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    #: incremented by each claim; a write with an older number changes no row
    Column("claim", BigInteger, nullable=False, server_default=text("0")),
    Column("claimed_by", _ID),
    Column("claimed_until", BigInteger),
    #: whether an attempt began whose outcome is unknown
    Column("in_doubt", Boolean, nullable=False, server_default=false()),
    #: names and customer (FirstAttemptFacts) as JSON; stored so that every attempt sends the same content
    Column("names", Text),
    Column("next_at", BigInteger, nullable=False),
    #: before the first attempt the sum of the waits for names; later that of the waits between attempts, without pauses
    #: of the circuit breaker
    Column("waited_ms", BigInteger, nullable=False, server_default=text("0")),
    Column("last_error", String(200)),
    Column("delivered_at", BigInteger),
    Column("erased_at", BigInteger),
    Index("entry_due", "state", "next_at"),
    Index("entry_conversation", "conversation_id"),
    Index("entry_twin", "twin_id", unique=True),
    _index_of_unerased("entry_to_erase", "delivered_at"),
)

#: Notification channels that our instances created.
channel = Table(
    "channel",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("owner", _ID, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
)

#: Running instances and their leases.
instance = Table(
    "instance",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
)

#: The timelines of all conversations; append-only.
transition = Table(
    "transition",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("conversation_id", _ID, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("event", String(32), nullable=False),
    Column("detail", String(200)),
    Index("transition_conversation", "conversation_id", "seq"),
)

#: The latest SAML assertions that may have reached Genesys.
used_assertion = Table(
    "used_assertion",
    metadata,
    #: SHA-256 of the assertion, which can't be recovered from it
    Column("digest", String(64), primary_key=True),
    Column("used_at", BigInteger, nullable=False),
)

#: Frames that could not be read, and events of conversations that were never registered.
quarantine = Table(
    "quarantine",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("topic", String(200)),
    Column("frame", Text, nullable=False),
)
