"""The words of clients: a card as it stands with us, and a card as it was shown once."""

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

Key = tuple[int, int]
"""(company, client id)."""


class Card(Struct, frozen=True, kw_only=True, gc=False):
    """A row of `clients`: YCLIENTS's card of a person at one company."""

    company_id: int
    client_id: int
    name: str = ""
    phone: str | None = None
    """E.164 where it parses, else as given."""
    email: str | None = None
    """In the form in which e-mails are compared."""
    email_known_since: datetime | None = None
    """When we first saw the e-mail that stands there now."""
    first_email: str | None = None
    """The e-mail that the earliest sight of the card with its phone showed, "" for none; None: not seen so yet."""
    first_observation: int | None = None
    """The number of that sight."""
    observation: int = 0
    """The number of the newest sight that counted."""
    user_id: int | None = None
    """Whom an admin gave the card to."""
    erased_at: datetime | None = None
    """Its person had themself erased: nothing that names them is kept, and no later sight changes the card."""

    @property
    def key(self) -> Key:
        """(company, client id)."""
        return (self.company_id, self.client_id)


class Sight(Struct, frozen=True, kw_only=True, gc=False):
    """A card as a record or a `client` event showed it. `UNSET`: not told; None or "": shown empty."""

    company_id: int
    client_id: int
    observation: int
    """Its number in the order of what was told and read: a later one wins."""
    seen_at: datetime
    name: str | UnsetType = UNSET
    phone: str | None | UnsetType = UNSET
    email: str | None | UnsetType = UNSET

    @property
    def key(self) -> Key:
        """(company, client id)."""
        return (self.company_id, self.client_id)


class Person(Struct, frozen=True, gc=False):
    """By what two clients are told apart: the phone's key (`kit.phone`) and the e-mail, None where there is none."""

    phone_key: str | None = None
    email: str | None = None


class UnmatchedCard(Struct, frozen=True):
    """A card with visits that no user has: how many, and when the latest is."""

    card: Card
    visits: int
    latest_at: datetime


class CardCandidate(Struct, frozen=True):
    """Somebody whom visits of a card name without settling it; the words are those of `matching`."""

    user_id: int
    step: str
    reason: str
    visits: int
