"""The first tables.

Invariant: a released revision is never changed. It spells its tables out, so that a later change of
``storage.tables`` can't affect it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.String(36)
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create all tables."""
    _registration()
    _conversation()
    _entry()
    _channel()
    _instance()
    _transition()
    _quarantine()


def _registration() -> None:
    op.create_table(
        "registration",
        sa.Column("conversation_id", _ID, primary_key=True),
        sa.Column("accepted_at", sa.BigInteger, nullable=False),
    )


def _conversation() -> None:
    op.create_table(
        "conversation",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("customer_id", _ID),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("owner", _ID),
        sa.Column("epoch", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("channel_id", sa.String(128)),
        sa.Column("uncovered_since", sa.BigInteger),
        sa.Column("covered_at", sa.BigInteger),
        sa.Column("in_doubt", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("looked_at", sa.BigInteger),
        sa.Column("asked", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("deadline_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("last_look_at", sa.BigInteger),
        sa.Column("missed", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("unknown_since", sa.BigInteger),
        sa.Column("erased_at", sa.BigInteger),
    )
    op.create_index("conversation_state", "conversation", ["state"])
    op.create_index("conversation_due", "conversation", ["due_at"])
    op.create_index("conversation_channel", "conversation", ["channel_id"])
    op.create_index("conversation_last_look", "conversation", ["last_look_at"])
    op.create_index("conversation_customer", "conversation", ["customer_id"])


def _entry() -> None:
    op.create_table(
        "entry",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("conversation_id", _ID, nullable=False),
        sa.Column("participant_id", sa.String(64)),
        sa.Column("session_id", sa.String(64)),
        sa.Column("user_id", sa.String(64)),
        sa.Column("event_time", sa.BigInteger),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("content", sa.Text),
        sa.Column("stored_at", sa.BigInteger, nullable=False),
        sa.Column("amended", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("amended_content", sa.Text),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200)),
        sa.Column("attempt", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("claim", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("claimed_by", _ID),
        sa.Column("claimed_until", sa.BigInteger),
        sa.Column("in_doubt", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("names", sa.Text),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("waited_ms", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("last_error", sa.String(200)),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("erased_at", sa.BigInteger),
    )
    op.create_index("entry_due", "entry", ["state", "next_at"])
    op.create_index("entry_conversation", "entry", ["conversation_id"])


def _channel() -> None:
    op.create_table(
        "channel",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("owner", _ID, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
    )


def _instance() -> None:
    op.create_table(
        "instance",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
    )


def _transition() -> None:
    op.create_table(
        "transition",
        sa.Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("conversation_id", _ID, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("detail", sa.String(200)),
    )
    op.create_index("transition_conversation", "transition", ["conversation_id", "seq"])


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("topic", sa.String(200)),
        sa.Column("frame", sa.Text, nullable=False),
    )
