"""The words of matching: steps, links, evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Step(StrEnum):
    """What gave a link; the names of `bookings.matched_by`."""

    MANUAL = "manual"
    FORM = "form"
    CODE = "code"
    EMAIL = "email"
    PHONE = "phone"


STRENGTH: Mapping[Step | None, int] = {
    Step.MANUAL: 5,
    Step.FORM: 4,
    Step.CODE: 3,
    Step.EMAIL: 2,
    Step.PHONE: 1,
    None: 0,
}


@dataclass(frozen=True, slots=True)
class Link:
    """Whose the booking is. No user with `MANUAL`: an admin said that it is nobody's."""

    user_id: int | None = None
    step: Step | None = None
    version: datetime | None = None
    """The version (aware UTC) of the snapshot that gave it; None where it had none."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one booking's people, already looked up.

    `form_user_ids`: who booked this record through our form. `code_users`: user id -> the newest version at which her
    code was seen in the comment. `email_user_ids`, `phone_user_ids`: whose *proved* contact the record carries.
    `version`: of the record's newest believed snapshot. `contact_changed`: names the steps whose contact this change
    replaced by another one; a link that rested on it has lost its ground.
    """

    form_user_ids: frozenset[int] = frozenset()
    code_users: Mapping[int, datetime | None] | None = None
    email_user_ids: frozenset[int] = frozenset()
    phone_user_ids: frozenset[int] = frozenset()
    version: datetime | None = None
    contact_changed: frozenset[Step] = frozenset()


@dataclass(frozen=True, slots=True)
class Match:
    """The link as it now is, and the users between whom an admin must choose (empty: nothing to choose)."""

    link: Link
    candidate_ids: frozenset[int] = frozenset()
    candidate_step: Step | None = None
