"""Display names of users in histories and logs."""

from collections.abc import Collection

from zerkalo.db.pool import Connection
from zerkalo.users.desk.store import users_by_id


async def called(conn: Connection, user_ids: Collection[int]) -> dict[int, str]:
    """Return name and code by user id, the id alone for a user with neither; without erased users."""
    found = await users_by_id(conn, user_ids)
    return {
        number: " ".join(filter(None, (one.name, one.unique_code))) or f"№ {number}"
        for number, one in found.items()
    }
