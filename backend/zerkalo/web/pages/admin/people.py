"""What users are called where a history or a log speaks of them."""

from collections.abc import Collection

from zerkalo.db.pool import Connection
from zerkalo.users.desk.store import users_by_id


async def called(conn: Connection, user_ids: Collection[int]) -> dict[int, str]:
    """Name and code by number, the number alone for whoever has neither; without those who were erased."""
    found = await users_by_id(conn, user_ids)
    return {
        number: " ".join(filter(None, (one.name, one.unique_code))) or f"№ {number}"
        for number, one in found.items()
    }
