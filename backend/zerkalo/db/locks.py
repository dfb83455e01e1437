"""Advisory locks of ours, held until the transaction ends.

They are database-wide, and other programs may use them too. Each has two numbers, the first a hash of our schema and the
purpose, so that no chosen id can collide with another lock. Keys are locked once each, in the order of their numbers,
so that two transactions can't deadlock. Two keys that share a number only wait needlessly.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Literal

from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json

Purpose = Literal["booking", "matching", "contact", "attempt", "import", "reports"]


async def lock(conn: Connection, purpose: Purpose, keys: Iterable[object] = ((),)) -> None:
    """Hold these keys of a purpose; without keys, the purpose itself."""
    await conn.execute(_LOCK, {"purpose": purpose, "keys": _encoded(keys)})


async def lock_beside(conn: Connection, shared: Purpose, purpose: Purpose, keys: Iterable[object]) -> None:
    """Lock the purpose `shared` in share mode (its `lock` is exclusive), then these keys of another purpose."""
    values = {"shared": shared, "whole": _number(()), "purpose": purpose, "keys": _encoded(keys)}
    await conn.execute(_LOCK_BESIDE, values)


_SPACE = "hashtext(current_schema() || ' ' || %(purpose)s::text)"
_LOCK = f"""
    select count(pg_advisory_xact_lock({_SPACE}, key)) from (
        select key from jsonb_array_elements_text(%(keys)s::jsonb) with ordinality as k (text, n),
            lateral (select text::int) as v (key)
        order by n
    ) as sorted
"""

_LOCK_BESIDE = f"""
    select pg_advisory_xact_lock_shared(hashtext(current_schema() || ' ' || %(shared)s::text), %(whole)s::int), ({_LOCK})
"""


def _encoded(keys: Iterable[object]) -> str:
    return as_json(sorted({_number(key) for key in keys}))


def _number(key: object) -> int:
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=4).digest(), signed=True)
