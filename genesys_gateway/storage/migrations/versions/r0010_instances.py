"""What several instances have to know about each other: their clients, leases and places, and what they hand over.

It only adds, so that instances of the release before go on beside it. The new indexes have the owner in front of the
date; the old ones stay for that release.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add columns to instances and conversations, a table of places, and three indexes."""
    for name, kind in (
        ("client", sa.String(64)),
        ("endpoint", sa.String(400)),
        ("process", sa.String(64)),
        ("lease_ms", sa.BigInteger),
        ("renewed_at", sa.BigInteger),
        ("draining_at", sa.BigInteger),
        ("ended_at", sa.BigInteger),
        ("ended_how", sa.String(8)),
    ):
        op.add_column("instance", sa.Column(name, kind))
    op.add_column("conversation", sa.Column("next_owner", sa.String(36)))
    op.add_column("conversation", sa.Column("offered_at", sa.BigInteger))
    op.create_table(
        "channel_place",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("reserved_at", sa.BigInteger, nullable=False),
    )
    _index("owned_due", "owner", "due_at", where="due_at IS NOT NULL")
    _index("owned_doubtful", "owner", "covered_at", where="in_doubt AND state = 'subscribed'")
    _index("offered", "offered_at", where="offered_at IS NOT NULL")


def _index(name: str, *columns: str, where: str) -> None:
    op.create_index(
        f"conversation_{name}",
        "conversation",
        list(columns),
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
