"""What operators look at: what each instance says of itself, and lists of conversations and records, newest first.

It only adds. The lists are read in pages by date and id, newest first; people may ask for the beginning of an id. Their
indexes hold a difference, so that no other statement is planned with them: those order few rows by the date itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add two columns to instances, and indexes for the lists."""
    op.add_column("instance", sa.Column("report", sa.Text))
    op.add_column("instance", sa.Column("reported_at", sa.BigInteger))
    op.create_index("conversation_listed", "conversation", [sa.text("(0 - created_at)"), "id"])
    op.create_index("entry_listed", "entry", [sa.text("(0 - stored_at)"), "id"])
    op.create_index("quarantine_at", "quarantine", ["at"])
    if op.get_bind().dialect.name == "postgresql":
        # A collation may ignore the dashes of an id, so that the index of the key can't find a beginning.
        op.create_index("conversation_beginning", "conversation", ["id"], postgresql_ops={"id": "text_pattern_ops"})
    _index("conversation_unresolved", "conversation", "closed_at", where="outcome = 'unresolved' AND erased_at IS NULL")


def _index(name: str, table: str, *columns: str, where: str) -> None:
    op.create_index(name, table, list(columns), sqlite_where=sa.text(where), postgresql_where=sa.text(where))
