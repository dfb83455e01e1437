"""What admins did, to whom: written in the transaction that did it."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from zerkalo.db.pool import Connection


async def audit(
    conn: Connection,
    admin_id: int | None,
    action: str,
    subject: str,
    details: Mapping[str, object],
    now: datetime,
) -> None:
    """Notes that an admin did `action` ("user.merge") to `subject` ("user 5"). `admin_id` None: at the console.

    `details` hold ids and numbers, never a contact or a text about a person: these lines outlive her account.
    """
    await conn.execute(
        "insert into audit_entries (at, admin_id, action, subject, details) values (%s, %s, %s, %s, %s::jsonb)",
        [now, admin_id, action, subject, msgspec.json.encode(details).decode()],
    )
