"""What an import reads and what it decides, as frozen values."""

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
    """Where an import reads from. Of each list either the query (`…_sql`) or the file (`…_csv`) is given."""

    name: str
    """Stands in `origins.source`: the same name is the same app, whenever it is imported again."""
    url: str | None = None
    people_sql: str | None = None
    people_csv: Path | None = None
    visits_sql: str | None = None
    visits_csv: Path | None = None
    company_id: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the source. Contacts and code are canonical; None: the source leaves it empty."""

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
    """Points of our own programme stand in the ledger for it already."""
    handed_over: bool = False
    """The salon gave the record to another person's card, so that its time alone says nothing of whose it was."""


class By(StrEnum):
    """How a visit found its booking."""

    RECORD = "by_record"
    CONTACT = "by_contact"


class Why(StrEnum):
    """Why a line needs a person. `texts.reason` has the words."""

    REF_EMPTY = "ref_empty"
    REF_TWICE = "ref_twice"
    EMAIL_UNREADABLE = "email_unreadable"
    PHONE_UNREADABLE = "phone_unreadable"
    CODE_UNREADABLE = "code_unreadable"
    HASH_UNUSABLE = "hash_unusable"
    NO_FLAG = "no_flag"
    NO_WHOLE_NUMBER = "no_whole_number"
    NO_TIME = "no_time"
    NO_RECORD_ID = "no_record_id"
    WALL_TIME_WITH_OFFSET = "wall_time_with_offset"
    INSTANT_WITHOUT_OFFSET = "instant_without_offset"
    SAME_CODE = "same_code"
    SAME_EMAIL = "same_email"
    SAME_PHONE = "same_phone"
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
    """A line of the source that needs a person."""

    ref: str
    person: str
    why: Why
    detail: str = ""
    """The column that can't be read, or the references of the others; empty where the reason says all."""
    visit: Visit | None = None
    """None: the line is a person's, or could not be read."""


@dataclass(frozen=True, slots=True)
class HoursOff:
    """The clock of the source differs from the salon's: so many of the visits that could be compared, by these hours."""

    hours: int
    visits: int
    compared: int
    column: Literal["wall_time", "starts_at"]


@dataclass(frozen=True, slots=True)
class Pairing:
    """What became of every visit."""

    pairs: tuple[Pair, ...]
    ask: tuple[Question, ...]
    not_in_mirror: tuple[Question, ...]
    hours_off: HoursOff | None = None
    """None: the times of the source are those of the mirror, or too few can be compared."""


@dataclass(frozen=True, slots=True)
class Accrual:
    """Points that the source gave for a visit, as the first accrual of its booking."""

    booking_id: int
    points: int
    percent: Decimal


@dataclass(frozen=True, slots=True)
class PointsPlan:
    """What a person's ledger gets. The opening is whatever of the balance no accrual explains; it may be negative."""

    ref: str
    before: int
    accruals: tuple[Accrual, ...] = ()
    opening: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did, or would do. The names are those of `--json` (contract, section 10)."""

    people_read: int = 0
    people_new: int = 0
    people_known: int = 0
    people_fresh: int = 0
    """New, or known and not brought by an import before."""
    visits_read: int = 0
    visits_by_record: int = 0
    visits_by_contact: int = 0
    visits_known: int = 0
    """Brought by an import before."""
    points_before: int = 0
    points_after: int = 0
    points_by_visit: int = 0
    points_opening: int = 0
    refused: Sequence[Question] = ()
    ask: Sequence[Question] = ()
    not_in_mirror: Sequence[Question] = ()
    never_awarded: Sequence[Question] = ()
    """Points that go to the opening balance, so that a later no-show does not take them back."""
    hours_off: HoursOff | None = None
    unknown_columns: Sequence[str] = field(default=())
    applied: bool = False

    @property
    def may_apply(self) -> bool:
        """Whether there is nothing that forbids applying: no refused person, and no point that came or went."""
        return not self.refused and self.points_before == self.points_after

    @property
    def visits_linked(self) -> int:
        """Visits that are a booking of the mirror by now, or will be."""
        return self.visits_by_record + self.visits_by_contact + self.visits_known

    @property
    def writes(self) -> bool:
        """Whether there is anything that was not brought before."""
        return bool(self.people_fresh or self.visits_by_record or self.visits_by_contact)

    def as_json(self) -> dict[str, object]:
        """The shape that the contract promises."""
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
