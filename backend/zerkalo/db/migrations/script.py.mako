"""${message}: why, in a sentence or two."""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Expand, then backfill in batches, then contract in a later release."""
    op.execute("""
    """)
