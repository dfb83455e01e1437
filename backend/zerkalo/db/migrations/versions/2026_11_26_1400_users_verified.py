"""`email_verified` and `phone_verified` of `users`, by the names that the API tells them by: for the salon's own SQL."""

from alembic import op

revision = "0002_users_verified"
down_revision = "0001_initial"


def upgrade() -> None:
    """Adds both, generated from when each contact was proved."""
    op.execute("""
        alter table users
            add column email_verified boolean not null generated always as (email_verified_at is not null) stored,
            add column phone_verified boolean not null generated always as (phone_verified_at is not null) stored
    """)
