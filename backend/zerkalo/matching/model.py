"""The values of matching: steps, links, evidence, candidates and decisions."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from zerkalo.bookings.model import MatchedBy

STRENGTH: Mapping[MatchedBy | None, int] = {
    MatchedBy.MANUAL: 7,
    MatchedBy.FORM: 6,
    MatchedBy.CODE: 5,
    MatchedBy.IMPORT: 4,
    MatchedBy.CARD: 3,
    MatchedBy.EMAIL: 2,
    MatchedBy.PHONE: 1,
    None: 0,
}


class Link(Struct, frozen=True, gc=False):
    """The user of a booking. No user with `MANUAL`: an admin decided that it belongs to no user."""

    user_id: int | None = None
    step: MatchedBy | None = None


class Reason(StrEnum):
    """Why a user is only a candidate; the values of `match_candidates.reason`."""

    RIVALS = "rivals"
    """Another user fits as well."""
    LATE_EMAIL = "late_email"
    """The e-mail was added after we had seen the card with its phone: anybody who books online can write it there."""
    EMAIL_ALONE = "email_alone"
    """The salon accepts an e-mail only together with the phone (`MATCH_EMAIL_ALONE`)."""
    HANDED_OVER = "handed_over"
    """The booking was the user's, or named them, before the salon gave it to another client."""


class Candidate(Struct, frozen=True, gc=False):
    """A user whom the evidence suggests but does not prove: an admin decides."""

    user_id: int
    step: MatchedBy
    reason: Reason


class Contacts(Struct, frozen=True, gc=False):
    """Users who have *proved* the contacts of the booking's client.

    `email_is_late`: the e-mail was added after we had seen the client's card with its phone and without the e-mail.
    """

    email_user_ids: frozenset[int] = frozenset()
    phone_user_ids: frozenset[int] = frozenset()
    email_is_late: bool = False


NO_CONTACTS = Contacts()


class Evidence(Struct, frozen=True, gc=False):
    """The evidence about one booking's user, already looked up.

    `form_user_ids`: users who booked this record through our form, or claimed it. `code_user_ids`: users whom the current
    comment names; `earlier_code_user_ids`: users whom earlier comments that we saw named. `card_user_id`: the user to
    whom an admin gave the client's card. `is_handed_over`: the salon once moved the record from one client to another;
    forms and codes don't count since. `is_handing_over`: the current change does so.
    """

    form_user_ids: frozenset[int] = frozenset()
    code_user_ids: frozenset[int] = frozenset()
    earlier_code_user_ids: frozenset[int] = frozenset()
    card_user_id: int | None = None
    contacts: Contacts = NO_CONTACTS
    is_handed_over: bool = False
    is_handing_over: bool = False


class Match(Struct, frozen=True, gc=False):
    """The resulting link, and the candidates that an admin may choose from."""

    link: Link
    candidates: frozenset[Candidate] = frozenset()
