"""The rows of `audit_entries`, which are only ever added."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from zerkalo.db.pool import Connection


async def insert_entry(
    conn: Connection,
    admin_id: int | None,
    action: str,
    subject: str,
    details: Mapping[str, object],
    now: datetime,
) -> None:
    """Add one entry."""
    await conn.execute(
        "insert into audit_entries (at, admin_id, action, subject, details) values (%s, %s, %s, %s, %s::jsonb)",
        [now, admin_id, action, subject, msgspec.json.encode(details).decode()],
    )
