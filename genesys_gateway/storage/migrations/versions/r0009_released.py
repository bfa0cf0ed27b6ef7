"""Since when a conversation's topic has been given back while its last proof is still to come."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column, an index of the conversations that have a value there, and one of covered ones in doubt."""
    op.add_column("conversation", sa.Column("released_at", sa.BigInteger))
    released = sa.text("released_at IS NOT NULL")
    op.create_index(
        "conversation_released", "conversation", ["released_at"], sqlite_where=released, postgresql_where=released
    )
    doubtful = sa.text("in_doubt AND state = 'subscribed'")
    op.create_index(
        "conversation_doubtful", "conversation", ["covered_at"], sqlite_where=doubtful, postgresql_where=doubtful
    )
