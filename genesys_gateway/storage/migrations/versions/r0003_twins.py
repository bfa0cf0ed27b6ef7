"""The second id of an after-call work that was reported by an event and by a supportResult."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; no two entries may have the same second id."""
    op.add_column("entry", sa.Column("twin_id", sa.String(36)))
    op.create_index("entry_twin", "entry", ["twin_id"], unique=True)
