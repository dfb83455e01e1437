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
"""Contacts that YCLIENTS hides from a token without the right to see them. That it may put stars in place of nothing is a
guess; a card sent without a phone would be refused, and the balance given up with that reason."""


def shown_balance(card: Mapping[str, Any], field: str) -> str | None:
    """The value of the card's field; None where it has none. An empty list is YCLIENTS's empty object."""
    fields = card.get("custom_fields")
    value = cast("dict[str, Any]", fields).get(field) if isinstance(fields, dict) else None
    return None if value is None else str(value)


def card_with_balance(card: Mapping[str, Any], field: str, balance: int) -> dict[str, Any]:
    """The body that writes the balance; it repeats everything else of the card, other fields too.

    Contacts that the token may not see are empty or stars and are left out, or they would be written so.
    """
    body = {name: card[name] for name in _KEPT if card.get(name) not in (None, "", 0)}
    body = {name: value for name, value in body.items() if name not in _HIDDEN or "*" not in str(value)}
    fields = card.get("custom_fields")
    known = cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}
    return body | {"custom_fields": {**known, field: str(balance)}}
