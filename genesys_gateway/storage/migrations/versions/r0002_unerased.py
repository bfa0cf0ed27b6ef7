"""Indexes with which retention finds rows that are not erased yet."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create both indexes."""
    _index_of_unerased("conversation", "conversation_to_erase", "closed_at")
    _index_of_unerased("entry", "entry_to_erase", "delivered_at")


def _index_of_unerased(table: str, name: str, since: str) -> None:
    where = sa.text(f"erased_at IS NULL AND {since} IS NOT NULL")
    op.create_index(name, table, [since], sqlite_where=where, postgresql_where=where)
