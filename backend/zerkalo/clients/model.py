"""A client's card, what a sight of it changes, and when a booking passes from one person to another. Pure."""

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from zerkalo.kit.phone import phone_key, same_phone

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
    """The e-mail in the earliest sight of the card with its phone, "" for none; None: there was no such sight yet."""
    first_observation: int | None = None
    """The number of that sight."""
    observation: int = 0
    """The number of the newest sight that counted."""
    user_id: int | None = None
    """The user whom an admin gave the card to."""
    erased_at: datetime | None = None
    """When its person was erased: nothing that names them is kept, and no later sight changes the card."""

    @property
    def key(self) -> Key:
        """(company, client id)."""
        return (self.company_id, self.client_id)


class Sight(Struct, frozen=True, kw_only=True, gc=False):
    """A card as a record or a `client` event has it. `UNSET`: the key is missing; None or "": it is empty."""

    company_id: int
    client_id: int
    observation: int
    """Its number in the sequence of observations: the later one wins."""
    seen_at: datetime
    name: str | UnsetType = UNSET
    phone: str | None | UnsetType = UNSET
    email: str | None | UnsetType = UNSET

    @property
    def key(self) -> Key:
        """(company, client id)."""
        return (self.company_id, self.client_id)


class Person(Struct, frozen=True, gc=False):
    """What tells two clients apart: the phone's key (`kit.phone`) and the e-mail, None where there is none."""

    phone_key: str | None = None
    email: str | None = None


class UnmatchedCard(Struct, frozen=True):
    """A card with visits that no user has: how many, and when the latest is."""

    card: Card
    visits: int
    latest_at: datetime


class CardCandidate(Struct, frozen=True):
    """A user whom visits of a card name without settling it; `step` and `reason` as in `matching`."""

    user_id: int
    step: str
    reason: str
    visits: int


def card_after(card: Card | None, sight: Sight) -> Card:
    """The card after `sight` (None: we had none).

    An empty or missing value changes nothing: YCLIENTS hides contacts from a token without the right to see them. A
    sight older than the newest one changes no contact, but it may be the earliest with the phone, and so settle which
    e-mail stood there first.
    """
    known = card or Card(company_id=sight.company_id, client_id=sight.client_id)
    if known.erased_at is not None:
        return known
    known = _with_first_email(known, sight)
    if sight.observation < known.observation:
        return known
    phone, email = sight.phone or known.phone, sight.email or known.email
    return replace(
        known,
        name=sight.name or known.name,
        phone=phone,
        email=email,
        email_known_since=known.email_known_since if email == known.email else sight.seen_at,
        observation=sight.observation,
    )


def joined(card: Card, old: Card) -> Card:
    """The card after YCLIENTS merged `old` into it: it inherits the user of `old` and when its e-mail was first seen.

    Where the two were first seen with different e-mails, neither counts as the first.
    """
    seen = [one for one in (card, old) if one.first_observation is not None and one.erased_at is None]
    firsts = {one.first_email for one in seen}
    return replace(
        card,
        user_id=card.user_id or old.user_id,
        first_email="" if len(firsts) > 1 else next(iter(firsts), card.first_email),
        first_observation=min((one.first_observation or 0 for one in seen), default=card.first_observation),
    )


def is_email_late(card: Card) -> bool:
    """Whether the card's e-mail came after we had seen the card with its phone and an empty or other e-mail.

    Whoever books online with the phone of a card can write an e-mail on it, so such a one says little.
    """
    return bool(card.email) and card.first_email is not None and card.first_email != card.email


def is_other_person(before: Person, after: Person) -> bool:
    """Whether a booking whose client was `before` is another person's with `after`.

    The phone decides, or the e-mail where either side lacks a phone; two with nothing in common are two persons. Without
    any contact it counts as the same person: contacts may be hidden, and two cards of one person may have been merged.
    """
    if before.phone_key and after.phone_key:
        return not same_phone(before.phone_key, after.phone_key)
    if before.email and after.email:
        return before.email != after.email
    return bool(before.phone_key or before.email) and bool(after.phone_key or after.email)


def is_same_person(before: Person, after: Person) -> bool:
    """Whether two cards are surely one person's: they have one phone, as where YCLIENTS merged them."""
    return bool(before.phone_key and after.phone_key) and not is_other_person(before, after)


def person_of(card: Card | None) -> Person:
    """What tells the person of a card from others; nothing is known without a card."""
    if card is None:
        return Person()
    return Person(phone_key(card.phone) if card.phone else None, card.email)


def _with_first_email(known: Card, sight: Sight) -> Card:
    is_told = bool(sight.phone) and (sight.email is None or isinstance(sight.email, str))
    if not is_told:
        return known
    shown = sight.email or ""
    if known.first_observation is None:
        return replace(known, first_email=shown, first_observation=sight.observation)
    if sight.observation < known.first_observation and shown != known.first_email:
        # A page that was asked for before a call and rendered after it may have an e-mail that came meanwhile: which of
        # the two stood there first is unknown, so neither counts.
        return replace(known, first_email="", first_observation=sight.observation)
    return known
