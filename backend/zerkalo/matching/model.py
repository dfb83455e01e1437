"""The words of matching: steps, links, evidence, candidates, and what a decision says."""

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
    """Whose the booking is. No user with `MANUAL`: an admin said that it belongs to no user."""

    user_id: int | None = None
    step: MatchedBy | None = None


class Reason(StrEnum):
    """Why a user is only a candidate; the names of `match_candidates.reason`."""

    RIVALS = "rivals"
    """Somebody else fits as well."""
    LATE_EMAIL = "late_email"
    """The e-mail came to the card after we had seen it with its phone: whoever books online can write it there."""
    EMAIL_ALONE = "email_alone"
    """The salon lets an e-mail count only together with the phone (`MATCH_EMAIL_ALONE`)."""
    HANDED_OVER = "handed_over"
    """The booking was the user's, or named them, before the salon gave it to another client."""


class Candidate(Struct, frozen=True, gc=False):
    """Somebody whom the evidence names without settling it: an admin decides."""

    user_id: int
    step: MatchedBy
    reason: Reason


class Contacts(Struct, frozen=True, gc=False):
    """Who has *proved* the contacts of the booking's client.

    `email_is_late`: the e-mail came to the client's card after we had seen the card with its phone and without it.
    """

    email_user_ids: frozenset[int] = frozenset()
    phone_user_ids: frozenset[int] = frozenset()
    email_is_late: bool = False


NO_CONTACTS = Contacts()


class Evidence(Struct, frozen=True, gc=False):
    """What is known of one booking's people, already looked up.

    `form_user_ids`: who booked this record through our form, or claimed it. `code_user_ids`: whom the comment names as
    it stands; `earlier_code_user_ids`: whom it named before, as far as it was seen. `card_user_id`: whom an admin gave
    the client's card to. `is_handed_over`: the salon once gave the record from one client to another; then forms and
    codes count no more. `is_handing_over`: this very change does so.
    """

    form_user_ids: frozenset[int] = frozenset()
    code_user_ids: frozenset[int] = frozenset()
    earlier_code_user_ids: frozenset[int] = frozenset()
    card_user_id: int | None = None
    contacts: Contacts = NO_CONTACTS
    is_handed_over: bool = False
    is_handing_over: bool = False


class Match(Struct, frozen=True, gc=False):
    """The link as it now is, and whom an admin may choose from (empty: nothing to choose)."""

    link: Link
    candidates: frozenset[Candidate] = frozenset()
