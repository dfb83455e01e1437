"""What is written to a card. Pure."""

from collections.abc import Mapping
from typing import Any, cast

_KEPT = (
    "name",
    "surname",
    "patronymic",
    "phone",
    "email",
    "sex_id",
    "birth_date",
    "discount",
    "card",
    "comment",
)


def shown_balance(card: Mapping[str, Any], field: str) -> str | None:
    """What the card's field shows; None where it has none. An empty list is YCLIENTS's empty object."""
    fields = card.get("custom_fields")
    value = cast("dict[str, Any]", fields).get(field) if isinstance(fields, dict) else None
    return None if value is None else str(value)


def card_with_balance(card: Mapping[str, Any], field: str, balance: int) -> dict[str, Any]:
    """The body that writes the balance: everything else of the card goes along as it is, other fields too.

    What the token may not see is empty, and is left out: else it would be emptied.
    """
    body = {name: card[name] for name in _KEPT if card.get(name) not in (None, "", 0)}
    fields = card.get("custom_fields")
    known = cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}
    return body | {"custom_fields": {**known, field: str(balance)}}
