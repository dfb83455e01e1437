"""What speaks against giving a card to a user. Pure."""

from dataclasses import dataclass

from zerkalo.clients.model import Card, is_email_late
from zerkalo.kit.phone import phone_key, same_phone
from zerkalo.users.model import User


@dataclass(frozen=True, slots=True)
class Doubts:
    """What speaks against the card's being the user's; nothing where all are false."""

    phone_differs: bool
    email_differs: bool
    email_came_late: bool
    """The e-mail is the user's, but came to the card after we had seen the card with its phone: anybody can write one there."""

    def __bool__(self) -> bool:
        return self.phone_differs or self.email_differs or self.email_came_late


def doubts_about(card: Card, user: User) -> Doubts:
    """What speaks against giving this card to this user: proved contacts that differ, an e-mail that came late."""
    phone = user.phone if user.phone_verified_at is not None else None
    email = user.email.lower() if user.email is not None and user.email_verified_at is not None else None
    card_phone = phone_key(card.phone) if card.phone else None
    same_number = phone is not None and card_phone is not None and same_phone(phone, card_phone)
    return Doubts(
        phone_differs=phone is not None and card_phone is not None and not same_number,
        email_differs=email is not None and card.email is not None and email != card.email,
        email_came_late=email is not None and email == card.email and is_email_late(card) and not same_number,
    )
