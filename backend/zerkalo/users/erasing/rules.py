"""What of a kept body names whom. Pure."""

import json
import re
from collections.abc import Collection
from typing import Any, cast

from zerkalo.kit.contact import comparable_email
from zerkalo.kit.look_alikes import HYPHENS, as_latin
from zerkalo.kit.phone import normalise_phone


def client_id_in(text: str | bytes) -> int | None:
    """YCLIENTS's number of the client whom a raw record, or a webhook about one, names; None where none is readable."""
    try:
        told: Any = json.loads(text)
        client_id: Any = told.get("data", told)["client"]["id"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return client_id if isinstance(client_id, int) and 0 < client_id < 2**63 else None


def card_is_of(body: str, *, email: str | None, phone10: str | None) -> bool:
    """Whether a webhook about a client's card is about somebody with these contacts (lower case, last ten digits).

    The phone decides: whoever books online with a stranger's phone has their e-mail written on the stranger's card.
    """
    try:
        told: Any = json.loads(body)["data"]
        named_email, named_phone = str(told.get("email") or ""), str(told.get("phone") or "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False
    if named := normalise_phone(named_phone)[1]:
        return named == phone10
    return email is not None and comparable_email(named_email) == email


# From the first backslash of a row on: a body may be a megabyte of them, and is read once.
_ESCAPED = re.compile(r"(?<!\\)\\+u([0-9a-fA-F]{4})")
_ESCAPED_SPACE = re.compile(r"(?<!\\)\\+[nrt]")


def names_code(body: bytes, codes: Collection[str]) -> bool:
    """Whether any of these codes stands in a body, in whichever spelling we would know it by, JSON or not.

    With or without «Код клиента» before it, so that nothing of what names her is missed for a slip of the pen.
    """
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), body.decode(errors="replace"))
    latin = as_latin(_ESCAPED_SPACE.sub(" ", text))
    between = rf"[\s{HYPHENS}]{{0,2}}"
    patterns = (
        (r"(?<![0-9])" if code[0].isdigit() else "") + between.join(code) + "(?![A-Z0-9])" for code in codes
    )
    return any(re.search(pattern, latin) for pattern in patterns)


def body_is_of(body: str, *, email: str | None, phone10: str | None, comment: str) -> bool:
    """Whether a webhook's body names this client, whole, and has this comment. What it leaves out contradicts nothing.

    `email` in lower case, `phone10` the last ten digits; None: the client has none, and the body must name none.
    """
    try:
        told: Any = json.loads(body)
        record = told["data"]
        if not isinstance(record, dict):
            return isinstance(record, list) and not record  # a bare event: it names nobody
        fields = cast("dict[str, Any]", record)
        client: dict[str, Any] = fields.get("client") or {}
        named_email, named_phone = str(client.get("email") or ""), str(client.get("phone") or "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False
    same_client = "client" not in fields or (
        named_email.strip().lower() or None,
        normalise_phone(named_phone)[1],
    ) == (email, phone10)
    return same_client and (
        "comment" not in fields or str(fields["comment"] or "").strip() == comment.strip()
    )
