"""Which account a correct code opens. Pure."""

from collections.abc import Sequence
from enum import StrEnum

from zerkalo.users.model import User
from zerkalo.users.proving.model import Contact
from zerkalo.users.proving.rules import is_opened_by


class Refused(StrEnum):
    """Why a correct code opens no account; the values are the `code` of the answer."""

    NO_ACCOUNT = "no_account"
    """No account has this contact: one can be created with it."""
    ACCOUNT_EXISTS = "account_exists"
    """An account has the contact and the code does not open it: its owner signs in otherwise, anybody else creates a new one."""


def whom_it_opens(contact: Contact, holders: Sequence[User], claimants: Sequence[User]) -> User | Refused:
    """The account that a code sent to this contact opens, among `holders` (proved it) and `claimants` (only claim it).

    Never a claimant's: anybody may claim an address, keep the password, and wait for the owner of the address to use it.
    """
    if not holders and not claimants:
        return Refused.NO_ACCOUNT
    if len(holders) != 1 or not is_opened_by(holders[0], contact.channel):
        return Refused.ACCOUNT_EXISTS
    return holders[0]
