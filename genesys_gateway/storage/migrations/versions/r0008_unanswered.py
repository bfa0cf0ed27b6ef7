"""Unanswered questions about a conversation past its deadline, so that it can be given up."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("conversation", sa.Column("unanswered", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.add_column("conversation", sa.Column("unanswered_since", sa.BigInteger))
