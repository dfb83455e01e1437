"""A user's right to see what is held about them."""

from typing import Any

from zerkalo.db.pool import Connection
from zerkalo.users.exporting import store
from zerkalo.users.model import User

Exported = dict[str, dict[str, Any] | list[dict[str, Any]]]
"""Subject -> its row, or its rows."""


async def export_user(conn: Connection, user: User, *, email_counts_alone: bool) -> Exported:
    """Everything held about a person as plain values: account, bookings, points, deliveries, sessions.

    `email_counts_alone`: the setting `MATCH_EMAIL_ALONE`; off, a card's e-mail alone proves nothing to be the user's.
    """
    account = {
        "id": user.id,
        "email": user.email,
        "email_verified_at": user.email_verified_at,
        "phone": user.phone,
        "phone_verified_at": user.phone_verified_at,
        "name": user.name,
        "note_of_the_salon": user.note,
        "unique_code": user.unique_code,
        "is_admin": user.is_admin,
        "signed_in_by_code_at": user.signed_in_by_code_at,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    }
    return {
        "account": account,
        **await store.export_rows(conn, user.id, email_counts_alone=email_counts_alone),
    }
