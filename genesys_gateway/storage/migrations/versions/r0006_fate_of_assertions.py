"""What became of each sent SAML assertion: only one that Genesys refused is never sent again."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column. The assertions of earlier releases were sent and, as far as is known, not refused."""
    op.add_column("used_assertion", sa.Column("fate", sa.String(7), nullable=False, server_default="granted"))
