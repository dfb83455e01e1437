"""Users as the salon's desk looks for them."""

from zerkalo.db.pool import Connection
from zerkalo.kit.look_alikes import as_latin
from zerkalo.kit.text import CYRILLIC_CAPITALS
from zerkalo.users.model import User
from zerkalo.users.store import USER_COLUMNS, many_users, user_by_code


async def search_users(conn: Connection, *, text: str, before_id: int | None, limit: int) -> list[User]:
    """Users whose e-mail, phone, code or name holds `text` (any case; "" for all), newest first, below `before_id`.

    A whole code that has a letter finds whose it is and nobody else, however it is typed: see `kit.look_alikes`.

    Shells are left out. Four or more digits without a letter are also looked for in the phone. Reads the whole table in the worst
    case: a salon has thousands of users, and only admins ask.
    """
    code = _whole_code(text)
    owner = await user_by_code(conn, code) if code else None
    if owner is not None:
        return [owner] if before_id is None else []
    sql = f"""
        select {USER_COLUMNS} from users u
        where u.erased_at is null and (%(before)s::bigint is null or u.id < %(before)s)
            and (%(text)s = '' or position(%(text)s in lower(coalesce(u.email, ''))) > 0
                or position(%(text)s in translate(lower(u.name), %(capitals)s, %(smalls)s)) > 0
                or position(upper(%(text)s) in coalesce(u.unique_code, '')) > 0
                or u.id = any (array(select r.user_id from retired_codes r where r.code = upper(%(text)s)))
                or (length(%(digits)s) >= 4 and position(%(digits)s in coalesce(u.phone, '')) > 0))
        order by u.id desc limit %(limit)s
    """
    has_letters = any(c.isalpha() for c in text)
    digits = "" if has_letters else "".join(c for c in text if c.isascii() and c.isdigit())
    if len(digits) == 11 and digits[0] == "8":  # how a Russian phone is often typed
        digits = digits[1:]
    values = {
        "text": text.lower(),
        "digits": digits,
        "capitals": CYRILLIC_CAPITALS,
        "smalls": CYRILLIC_CAPITALS.lower(),
    }
    return await many_users(conn, sql, values | {"before": before_id, "limit": limit})


def _whole_code(text: str) -> str:
    """The text read as a code, with or without our label before it; "" where it is none, or digits alone."""
    code = "".join(c for c in as_latin(text.rpartition(":")[2]) if c.isalnum())
    return code if code.isascii() and not code.isdigit() else ""
