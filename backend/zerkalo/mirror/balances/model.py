"""A card of YCLIENTS and the balance that a field of it is to hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class CardBalance:
    """A card and the points of the user who has its visits."""

    company_id: int
    client_id: int
    balance: int
    generation: int
    attempts: int
    claimed_until: datetime | None = None
    """Identifies the claim under which it is being written; None: it is not claimed."""


class Cards(Protocol):
    """The two requests that this takes; `yclients.client.YclientsClient` has them."""

    async def client_card(self, company_id: int, client_id: int) -> Mapping[str, Any]:
        """Read the card, as YCLIENTS has it."""
        ...

    async def write_client_card(self, company_id: int, client_id: int, body: Mapping[str, Any]) -> None:
        """Write the card."""
        ...
