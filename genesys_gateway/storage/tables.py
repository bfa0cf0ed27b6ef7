"""The tables, the same for SQLite and PostgreSQL.

Invariant: points in time are epoch milliseconds (``*_at``), and ids are lower-case text. An index that serves recurring
work holds only the rows that the work is about, so that its size does not grow with the past (ADR 0018).
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text, false, text

metadata = MetaData()

_ID = String(36)
#: SQLite numbers rows by itself only if the type of the key is exactly INTEGER.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of some rows. SQLite uses it only for queries that contain its condition word for word."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


#: One row for each conversation whose registration was answered with 2xx, until the conversation is forgotten.
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
    #: since when its topic is given back for others, while its last proof is still to come; then its state is pending
    Column("released_at", BigInteger),
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
    #: since when both views of Genesys answer that there is no such conversation
    Column("unknown_since", BigInteger),
    #: number of questions past its deadline that the live view did not answer, and when the first of them was asked
    Column("unanswered", Integer, nullable=False, server_default=text("0")),
    Column("unanswered_since", BigInteger),
    Column("erased_at", BigInteger),
    #: instance that is about to take it over: once it covers it, it is the owner
    Column("next_owner", _ID),
    #: since when its owner, which has no place for its topic, offers it to other instances
    Column("offered_at", BigInteger),
    # A difference, so that only the list is read by this index: other statements order few rows by the date itself.
    Index("conversation_listed", text("(0 - created_at)"), "id"),
    # A collation of PostgreSQL may ignore the dashes of an id, so that the index of the key can't find a beginning.
    Index("conversation_beginning", "id", postgresql_ops={"id": "text_pattern_ops"}).ddl_if(dialect="postgresql"),
    _partial("conversation_unresolved", "closed_at", where="outcome = 'unresolved' AND erased_at IS NULL"),
    _partial("conversation_followed", "owner", "state", where="state <> 'closed'"),
    _partial("conversation_doubtful", "covered_at", where="in_doubt AND state = 'subscribed'"),
    _partial("conversation_owned_due", "owner", "due_at", where="due_at IS NOT NULL"),
    _partial("conversation_owned_doubtful", "owner", "covered_at", where="in_doubt AND state = 'subscribed'"),
    _partial("conversation_offered", "offered_at", where="offered_at IS NOT NULL"),
    _partial("conversation_due", "due_at", where="due_at IS NOT NULL"),
    _partial("conversation_last_look", "last_look_at", where="last_look_at IS NOT NULL"),
    _partial("conversation_released", "released_at", where="released_at IS NOT NULL"),
    _partial("conversation_customer", "customer_id", where="customer_id IS NOT NULL"),
    _partial("conversation_missed", "missed", where="missed > 0"),
    _partial("conversation_to_erase", "closed_at", where="erased_at IS NULL AND closed_at IS NOT NULL"),
    _partial("conversation_to_forget", "erased_at", "id", where="erased_at IS NOT NULL AND closed_at IS NOT NULL"),
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
    #: not used since ``counterpart`` took its place; SQLite would rewrite the whole table to drop a column
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
    _partial("entry_pending", "next_at", where="state = 'pending'"),
    _partial("entry_oldest", "stored_at", where="state = 'pending'"),
    _partial("entry_attempted", "attempt", where="state = 'pending' AND attempt > 0"),
    _partial("entry_dead", "stored_at", where="state = 'dead'"),
    _partial("entry_claimed", "claimed_until", where="claimed_until IS NOT NULL"),
    Index("entry_conversation", "conversation_id"),
    Index("entry_listed", text("(0 - stored_at)"), "id"),
    _partial("entry_to_erase", "delivered_at", where="erased_at IS NULL AND delivered_at IS NOT NULL"),
    _partial("entry_result", "stored_at", "id", where="source = 'supportResult'"),
)

#: Other reports of the after-call work of an entry: each came later, under another id, and has no entry of its own.
counterpart = Table(
    "counterpart",
    metadata,
    #: the record id that it would have alone; an event without a session and a supportResult can have the same
    Column("id", _ID, primary_key=True),
    #: session | agent | supportResult, see ``domain.pairing``
    Column("kind", String(16), primary_key=True),
    Column("entry_id", _ID, nullable=False),
    Column("conversation_id", _ID, nullable=False),
    #: these four as given by its source
    Column("participant_id", String(64)),
    Column("session_id", String(64)),
    Column("user_id", String(64)),
    Column("event_time", BigInteger),
    Index("counterpart_conversation", "conversation_id"),
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

#: Rights to one connected channel each, within the budget of an OAuth client that several instances share.
channel_place = Table(
    "channel_place",
    metadata,
    Column("id", _ID, primary_key=True),
    #: as in ``instance``
    Column("client", String(64), nullable=False),
    Column("owner", _ID, nullable=False),
    Column("reserved_at", BigInteger, nullable=False),
)

#: Instances, running or ended, and their leases. What is null was written by the release before.
instance = Table(
    "instance",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    #: hash that names its OAuth client; instances with the same share a budget of channels
    Column("client", String(64)),
    #: where it listens, and under which kernel: a new instance there is the successor of one whose process is gone
    Column("endpoint", String(400)),
    #: its process, see ``runtime.process``
    Column("process", String(64)),
    #: how long its lease lasts without renewal
    Column("lease_ms", BigInteger),
    #: its latest renewal at which every loss of coverage was stored
    Column("renewed_at", BigInteger),
    #: since when it offers its conversations to others, because it is about to stop
    Column("draining_at", BigInteger),
    #: when it ended, and how: left (it said so itself) | proven (its process is gone) | lapsed (its lease ran out)
    Column("ended_at", BigInteger),
    Column("ended_how", String(8)),
    #: what it says of itself for operators, as JSON, and when it said so
    Column("report", Text),
    Column("reported_at", BigInteger),
)

#: The timelines of all conversations; only :mod:`~genesys_gateway.storage.statements.forgetting` deletes lines.
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

#: Numbers of rows, kept by :mod:`~genesys_gateway.storage.triggers`, and of rows that were deleted because of their
#: age. Every number is a sum over all rows of this table.
tally = Table(
    "tally",
    metadata,
    #: process of PostgreSQL that counts in this row, so that no session waits for another; 0 on SQLite and for sums
    Column("session", BigInteger, primary_key=True, autoincrement=False),
    #: rows of ``registration`` and of ``conversation``
    Column("registrations", BigInteger, nullable=False, server_default=text("0")),
    Column("conversations", BigInteger, nullable=False, server_default=text("0")),
    #: pending entries, and dead ones with content
    Column("pending", BigInteger, nullable=False, server_default=text("0")),
    Column("dead", BigInteger, nullable=False, server_default=text("0")),
    #: rows that were deleted because of their age, and the after-call works that were missed in them
    Column("forgotten_registrations", BigInteger, nullable=False, server_default=text("0")),
    Column("forgotten_conversations", BigInteger, nullable=False, server_default=text("0")),
    Column("forgotten_missed", BigInteger, nullable=False, server_default=text("0")),
)

#: The latest SAML assertions that may have reached Genesys, and what became of them.
used_assertion = Table(
    "used_assertion",
    metadata,
    #: SHA-256 of the assertion, which can't be recovered from it
    Column("digest", String(64), primary_key=True),
    Column("used_at", BigInteger, nullable=False),
    #: sent, granted or refused
    Column("fate", String(7), nullable=False, server_default="granted"),
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
    Index("quarantine_at", "at"),
)
