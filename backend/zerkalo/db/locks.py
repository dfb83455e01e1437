"""Advisory locks of ours, held until the transaction ends.

They are database-wide, and the program beside us may use them too: two numbers each, the first a hash of our schema and
of the purpose, so that nobody's chosen id can meet another lock. Keys are taken in the order of their numbers, each
once, so that two transactions can't wait for each other. Two keys that share a number only wait needlessly.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Literal

from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json

Purpose = Literal["booking", "matching", "contact", "attempt", "import"]


async def lock(conn: Connection, purpose: Purpose, keys: Iterable[object] = ((),)) -> None:
    """Hold these keys of a purpose; without keys, the purpose itself."""
    await conn.execute(_LOCK, {"purpose": purpose, "keys": as_json(sorted({_number(key) for key in keys}))})


async def lock_shared(conn: Connection, purpose: Purpose) -> None:
    """Hold the purpose itself together with others who share it; `lock` waits for all of them."""
    sql = f"select pg_advisory_xact_lock_shared({_SPACE}, %(key)s::int)"
    await conn.execute(sql, {"purpose": purpose, "key": _number(())})


_SPACE = "hashtext(current_schema() || ' ' || %(purpose)s::text)"
_LOCK = f"""
    select count(pg_advisory_xact_lock({_SPACE}, key)) from (
        select key from jsonb_array_elements_text(%(keys)s::jsonb) with ordinality as k (text, n),
            lateral (select text::int) as v (key)
        order by n
    ) as sorted
"""


def _number(key: object) -> int:
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=4).digest(), signed=True)
