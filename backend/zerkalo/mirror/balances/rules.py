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

_HIDDEN = frozenset({"phone", "email"})
"""What YCLIENTS hides from a token without the right. That it may star instead of emptying is a guess; a card without a
phone would be refused, and the balance be given up with the reason."""


def shown_balance(card: Mapping[str, Any], field: str) -> str | None:
    """What the card's field shows; None where it has none. An empty list is YCLIENTS's empty object."""
    fields = card.get("custom_fields")
    value = cast("dict[str, Any]", fields).get(field) if isinstance(fields, dict) else None
    return None if value is None else str(value)


def card_with_balance(card: Mapping[str, Any], field: str, balance: int) -> dict[str, Any]:
    """The body that writes the balance: everything else of the card goes along as it is, other fields too.

    What the token may not see is empty, or starred, and is left out: else it would be emptied, or the stars be written.
    """
    body = {name: card[name] for name in _KEPT if card.get(name) not in (None, "", 0)}
    body = {name: value for name, value in body.items() if name not in _HIDDEN or "*" not in str(value)}
    fields = card.get("custom_fields")
    known = cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}
    return body | {"custom_fields": {**known, field: str(balance)}}
