"""A card and the balance that its field is to show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class CardBalance:
    """A card of YCLIENTS and the points of the user who has its visits."""

    company_id: int
    client_id: int
    balance: int
    generation: int
    attempts: int
    claimed_until: datetime | None = None
    """Names the claim of whoever writes it; None: nobody does."""


class Cards(Protocol):
    """The two calls that the work needs; `yclients.client.YclientsClient` has them."""

    async def client_card(self, company_id: int, client_id: int) -> Mapping[str, Any]:
        """The card as YCLIENTS shows it."""
        ...

    async def write_client_card(self, company_id: int, client_id: int, body: Mapping[str, Any]) -> None:
        """Write the card."""
        ...
