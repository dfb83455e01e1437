"""What a sight of a card changes, and when a booking passes from one person to another. Pure."""

from msgspec.structs import replace

from zerkalo.clients.model import Card, Person, Sight
from zerkalo.kit.phone import phone_key, same_phone


def taught(card: Card | None, sight: Sight) -> Card:
    """The card after `sight` (None: we had none).

    What is shown empty or not told changes nothing: YCLIENTS hides contacts from a token without the right to see
    them. A sight older than the newest one changes none of the contacts, but it may be the earliest that shows the
    phone, and so say which e-mail stood there first.
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
    """The card after YCLIENTS merged `old` into it: what an admin gave goes along, and what was seen of its e-mail.

    Where the two were first seen with different e-mails, none of them counts as the one that stood there.
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

    The phone decides, the e-mail where either side lacks a phone; two who have nothing in common are two. Of whom
    nothing is known is no other person: contacts may be hidden, and two cards of one person may have been merged.
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
    """By what the person of a card is told from others; of no card nothing is known."""
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
        # A page asked for before a call and rendered after it may show an e-mail that came meanwhile: which of the two
        # stood there first nobody can say, so neither did.
        return replace(known, first_email="", first_observation=sight.observation)
    return known
