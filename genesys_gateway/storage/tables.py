"""The tables, the same for SQLite and PostgreSQL.

Law: wall times are epoch milliseconds (``*_at``), ids are lower-case text, and nothing is ever deleted from
``registration``: it is what the balance is counted from.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text, false, text

metadata = MetaData()

_ID = String(36)
#: SQLite numbers rows by itself only where the key's type is exactly INTEGER.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")


def _index_of_unerased(name: str, since: str) -> Index:
    """Finds what retention still has to look at; what is erased stays for ever, and would only be in its way."""
    where = text(f"erased_at IS NULL AND {since} IS NOT NULL")
    return Index(name, since, sqlite_where=where, postgresql_where=where)


#: One row for each conversation that was ever accepted with 2xx; append-only.
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
    #: logged | no_acw | unresolved, null while followed
    Column("outcome", String(16)),
    Column("created_at", BigInteger, nullable=False),
    #: the instance whose channel carries it
    Column("owner", _ID),
    #: raised whenever the owner changes; a later write of an earlier owner changes no row
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("channel_id", String(128)),
    #: since when an event may have been missed; null while a confirmed subscription covers it
    Column("uncovered_since", BigInteger),
    #: when it was covered last since it is followed; only an answer taken after it ends the doubt
    Column("covered_at", BigInteger),
    #: whether a gap lies behind it that no answer has cleared yet
    Column("in_doubt", Boolean, nullable=False, server_default=false()),
    #: when Genesys is to be asked about it next; null when closed
    Column("due_at", BigInteger),
    #: when Genesys's live answer about it was taken last
    Column("looked_at", BigInteger),
    #: how often it was asked about in this stage of its schedule
    Column("asked", Integer, nullable=False, server_default=text("0")),
    #: after this, and one more successful answer, it is closed whatever is known
    Column("deadline_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    #: when the one question after the close is due; null once answered
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

#: The outbox: one after-call work, on its way to or already in communication history.
entry = Table(
    "entry",
    metadata,
    #: the record id
    Column("id", _ID, primary_key=True),
    Column("conversation_id", _ID, nullable=False),
    Column("participant_id", String(64)),
    Column("session_id", String(64)),
    Column("user_id", String(64)),
    #: of the after-call work, as Genesys dated it
    Column("event_time", BigInteger),
    #: live | backfill | supportResult
    Column("source", String(16), nullable=False),
    #: the event as JSON; null once erased
    Column("content", Text),
    Column("stored_at", BigInteger, nullable=False),
    #: the id under which the same after-call work came through the other door, later
    Column("twin_id", _ID),
    #: whether other content came later under the same id; of a twin the first is not counted as such
    Column("amended", Boolean, nullable=False, server_default=false()),
    #: what came later, and is not sent
    Column("amended_content", Text),
    #: pending | delivered | dead
    Column("state", String(16), nullable=False),
    #: why it is dead
    Column("reason", String(200)),
    #: how many attempts have begun
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    #: raised by each claim; a write that carries an older one changes no row
    Column("claim", BigInteger, nullable=False, server_default=text("0")),
    Column("claimed_by", _ID),
    Column("claimed_until", BigInteger),
    #: whether an attempt began whose outcome nobody knows
    Column("in_doubt", Boolean, nullable=False, server_default=false()),
    #: names as looked up before the first attempt, JSON; every attempt sends the same bytes
    Column("names", Text),
    Column("next_at", BigInteger, nullable=False),
    #: sum of the waits between attempts; pauses of the whole lane are not in it
    Column("waited_ms", BigInteger, nullable=False, server_default=text("0")),
    Column("last_error", String(200)),
    Column("delivered_at", BigInteger),
    Column("erased_at", BigInteger),
    Index("entry_due", "state", "next_at"),
    Index("entry_conversation", "conversation_id"),
    Index("entry_twin", "twin_id", unique=True),
    _index_of_unerased("entry_to_erase", "delivered_at"),
)

#: A notification channel that an instance of ours has made.
channel = Table(
    "channel",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("owner", _ID, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
)

#: A running process and how long its word holds.
instance = Table(
    "instance",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
)

#: The timeline of each conversation, append-only.
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

#: SAML assertions that may have reached Genesys; the latest only.
used_assertion = Table(
    "used_assertion",
    metadata,
    #: SHA-256, from which nobody can get it back
    Column("digest", String(64), primary_key=True),
    Column("used_at", BigInteger, nullable=False),
)

#: Frames that could not be read as what their topic promised.
quarantine = Table(
    "quarantine",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("topic", String(200)),
    Column("frame", Text, nullable=False),
)
