"""Input and decisions of an import, as frozen values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Literal

PERSON_COLUMNS = (
    "ref",
    "email",
    "phone",
    "name",
    "code",
    "password_hash",
    "email_proved",
    "phone_proved",
    "balance",
    "created_at",
)
VISIT_COLUMNS = (
    "ref",
    "person",
    "record_id",
    "note",
    "wall_time",
    "starts_at",
    "service",
    "status",
    "points",
    "comment",
)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Where an import reads from: for each list either a query (`…_sql`) or a file (`…_csv`)."""

    name: str
    """Stored in `origins.source`: a later import with the same name is of the same app."""
    url: str | None = None
    people_sql: str | None = None
    people_csv: Path | None = None
    visits_sql: str | None = None
    visits_csv: Path | None = None
    company_id: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the source. Contacts and code are canonical; None: empty in the source."""

    ref: str
    email: str | None = None
    phone: str | None = None
    """E.164."""
    name: str = ""
    code: str | None = None
    password_hash: str | None = None
    email_proved: bool = False
    phone_proved: bool = False
    balance: int | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit of the source."""

    ref: str
    person: str
    record_ids: tuple[int, ...] = ()
    """The `record_id`, or every `YClients. ID: N` of the note."""
    wall_time: datetime | None = None
    """The salon's naive wall clock."""
    starts_at: datetime | None = None
    """An aware instant."""
    service: str = ""
    points: int = 0


@dataclass(frozen=True, slots=True)
class MirrorVisit:
    """A booking of the mirror, as pairing needs it. Contacts are canonical: those of its card, else its own."""

    booking_id: int
    company_id: int
    record_id: int
    starts_at: datetime
    wall_time: datetime | None
    service: str
    price_kopecks: int
    status: str
    email: str | None
    phone: str | None
    user_id: int | None = None
    matched_by: str | None = None
    has_entries: bool = False
    """Whether our ledger already has entries for it."""
    handed_over: bool = False
    """The salon gave the record to another person's card, so a matching time alone does not prove whose it was."""


class By(StrEnum):
    """How a visit found its booking."""

    RECORD = "by_record"
    CONTACT = "by_contact"


class Why(StrEnum):
    """Why a line needs a person's decision. `report.rules.reason` has the texts."""

    REF_EMPTY = "ref_empty"
    REF_TWICE = "ref_twice"
    EMAIL_UNREADABLE = "email_unreadable"
    PHONE_UNREADABLE = "phone_unreadable"
    CODE_UNREADABLE = "code_unreadable"
    HASH_UNUSABLE = "hash_unusable"
    NO_FLAG = "no_flag"
    NO_WHOLE_NUMBER = "no_whole_number"
    NO_TIME = "no_time"
    TIME_FAR_OFF = "time_far_off"
    NO_RECORD_ID = "no_record_id"
    WALL_TIME_WITH_OFFSET = "wall_time_with_offset"
    INSTANT_WITHOUT_OFFSET = "instant_without_offset"
    SAME_CODE = "same_code"
    SAME_EMAIL = "same_email"
    SAME_PHONE = "same_phone"
    PHONE_HELD = "phone_held"
    SAME_USER = "same_user"
    SEVERAL_USERS = "several_users"
    CODE_OF_ERASED = "code_of_erased"
    ERASED = "erased"
    BALANCE_NEGATIVE = "balance_negative"
    TWO_IDS = "two_ids"
    CLAIMED_TWICE = "claimed_twice"
    RECORD_DOES_NOT_FIT = "record_does_not_fit"
    SEVERAL_COMPANIES = "several_companies"
    SEVERAL_FIT = "several_fit"
    NOBODY = "nobody"
    NOT_IN_MIRROR = "not_in_mirror"
    ANOTHER_USER = "another_user"
    NOT_PAIRED = "not_paired"
    POINTS_UNSAYABLE = "points_unsayable"
    POINTS_NOT_EARNED = "points_not_earned"


@dataclass(frozen=True, slots=True)
class Pair:
    """A visit and its booking."""

    visit: Visit
    booking: MirrorVisit
    by: By


@dataclass(frozen=True, slots=True)
class Question:
    """A line of the source that needs a person's decision."""

    ref: str
    person: str
    why: Why
    detail: str = ""
    """The unreadable column, or the references of the other people; empty where `why` is enough."""
    visit: Visit | None = None
    """None: the line describes a person, or could not be read."""


@dataclass(frozen=True, slots=True)
class HoursOff:
    """The source's clock differs from the salon's by `hours`, in `visits` of the `compared` visits."""

    hours: int
    visits: int
    compared: int
    column: Literal["wall_time", "starts_at"]


@dataclass(frozen=True, slots=True)
class Pairing:
    """The outcome for every visit."""

    pairs: tuple[Pair, ...]
    ask: tuple[Question, ...]
    not_in_mirror: tuple[Question, ...]
    hours_off: HoursOff | None = None
    """None: the source's times agree with the mirror's, or too few can be compared."""


@dataclass(frozen=True, slots=True)
class Accrual:
    """Points that the source gave for a visit, as the first accrual of its booking."""

    booking_id: int
    points: int
    percent: Decimal


@dataclass(frozen=True, slots=True)
class PointsPlan:
    """Entries planned for a person's ledger. `opening`: the rest of the balance, without accruals; may be negative."""

    ref: str
    before: int
    accruals: tuple[Accrual, ...] = ()
    opening: int = 0
    is_told: bool = True
    """Whether the source names a balance: the ledger ends at exactly `before` then."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did, or would do. The names are those of `--json` (contract, section 10)."""

    people_read: int = 0
    people_new: int = 0
    people_known: int = 0
    people_fresh: int = 0
    """New, or known but not imported earlier."""
    visits_read: int = 0
    visits_by_record: int = 0
    visits_by_contact: int = 0
    visits_known: int = 0
    """Imported earlier."""
    points_before: int = 0
    points_after: int = 0
    points_by_visit: int = 0
    points_opening: int = 0
    refused: Sequence[Question] = ()
    ask: Sequence[Question] = ()
    not_in_mirror: Sequence[Question] = ()
    never_awarded: Sequence[Question] = ()
    """Visits whose points go to the opening balance: a later no-show does not reverse them."""
    hours_off: HoursOff | None = None
    unknown_columns: Sequence[str] = field(default=())
    applied: bool = False

    @property
    def may_apply(self) -> bool:
        """Whether the import can be applied: nobody is refused, and the sum of points stays the same."""
        return not self.refused and self.points_before == self.points_after

    @property
    def visits_linked(self) -> int:
        """Count the visits that are, or will be, linked to a booking."""
        return self.visits_by_record + self.visits_by_contact + self.visits_known

    @property
    def writes(self) -> bool:
        """Whether there is anything that was not imported earlier."""
        return bool(self.people_fresh or self.visits_by_record or self.visits_by_contact)

    def as_json(self) -> dict[str, object]:
        """Return the JSON shape that the contract promises."""
        return {
            "people": {
                "read": self.people_read,
                "new": self.people_new,
                "known": self.people_known,
                "refused": len(self.refused),
            },
            "visits": {
                "read": self.visits_read,
                "by_record": self.visits_by_record,
                "by_contact": self.visits_by_contact,
                "known": self.visits_known,
                "ask": len(self.ask),
                "not_in_mirror": len(self.not_in_mirror),
            },
            "points": {
                "before": self.points_before,
                "after": self.points_after,
                "by_visit": self.points_by_visit,
                "opening": self.points_opening,
            },
            "hours_off": self.hours_off.hours if self.hours_off else None,
            "applied": self.applied,
        }
