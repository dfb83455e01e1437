"""What the right code leads to. Pure."""

from collections.abc import Sequence
from enum import StrEnum

from zerkalo.users.model import User
from zerkalo.users.proving.model import Contact
from zerkalo.users.proving.rules import is_opened_by


class Refused(StrEnum):
    """Why the right code alone lets nobody in; the words are the `code` of the answer."""

    NO_ACCOUNT = "no_account"
    """Nobody names this contact: an account can be made with it."""
    ACCOUNT_EXISTS = "account_exists"
    """An account names it that the code does not open. Its owner signs in otherwise; somebody else makes one of their own."""


def whom_it_opens(contact: Contact, holders: Sequence[User], claimants: Sequence[User]) -> User | Refused:
    """Who is let in by a code sent to this contact, of those who have proved it and those who only claim it.

    One who only claims it never is: anybody may claim an address, keep its password, and wait for its owner to move in.
    """
    if not holders and not claimants:
        return Refused.NO_ACCOUNT
    if len(holders) != 1 or not is_opened_by(holders[0], contact.channel):
        return Refused.ACCOUNT_EXISTS
    return holders[0]
