"""A table of the other reports of an entry's after-call work, of which there may be two, each with its time."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

# A counterpart's own time was not stored. It was at most 120 s from that of its entry.
_COPY = """
INSERT INTO counterpart (id, kind, entry_id, conversation_id, user_id, event_time)
SELECT twin_id,
    CASE WHEN source <> 'supportResult' THEN 'supportResult' WHEN twin_id = id THEN 'agent' ELSE 'session' END,
    id, conversation_id, user_id, event_time
FROM entry WHERE twin_id IS NOT NULL
"""


def upgrade() -> None:
    """Create the table, and fill it from the column that it replaces. The column stays, unused."""
    op.create_table(
        "counterpart",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("entry_id", sa.String(36), nullable=False),
        sa.Column("conversation_id", sa.String(36), nullable=False),
        sa.Column("participant_id", sa.String(64)),
        sa.Column("session_id", sa.String(64)),
        sa.Column("user_id", sa.String(64)),
        sa.Column("event_time", sa.BigInteger),
    )
    op.execute(_COPY)
    op.create_index("counterpart_conversation", "counterpart", ["conversation_id"])
    op.drop_index("entry_twin", "entry")
