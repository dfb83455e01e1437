"""What a check-up knows and what it finds, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from zerkalo.checkup.machine.model import Machine
from zerkalo.kit.zones import ZoneRules
from zerkalo.loyalty.model import OFF, Programme


class Severity(StrEnum):
    """Whether something needs doing (and `zerkalo check` exits with 1) or is only advised."""

    ERROR = "error"
    ADVICE = "advice"


class Verdict(StrEnum):
    """The check-up in a word."""

    WELL = "well"
    UNFINISHED = "unfinished"
    """Nothing is wrong, but what makes it useful is not there yet: a webhook, or bookings that are linked to users."""
    ILL = "ill"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking YCLIENTS about a company. `problem`: code of what is wrong, "" where it answered; `reason`: why."""

    problem: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CompanyFacts:
    """A branch. Instants are aware UTC; `answer` is None where YCLIENTS was not asked."""

    id: int
    title: str
    timezone_name: str | None
    last_status: str | None
    last_started_at: datetime | None
    last_finished_at: datetime | None
    last_error: str | None
    last_success_at: datetime | None
    problem: str | None
    zone_rules: str | None = None
    zone_data_version: str | None = None
    absent_waiting: int = 0
    """Bookings that YCLIENTS does not know, too many to be cancelled without a person's word."""
    refused_records: int = 0
    """Records that YCLIENTS answers 403 or 422 for, while it shows the others."""
    is_running: bool = False
    """A worker carries a run of it: one that was opened and lies there, or whose worker is gone, is not carried."""
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class SyncedBooking:
    """One of the last written bookings; nothing in it names a person."""

    id: int
    company_id: int | None
    yclients_record_id: int | None
    service_name: str
    appointment_datetime: datetime
    appointment_local: datetime | None
    status: str
    matched_by: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class FailingTask:
    """A periodic task whose last runs failed one after another. `error`: the class of the last failure."""

    name: str
    failures: int
    error: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What takes a look at every booking and every user: with a million of them a tenth of a second and more."""

    by_status: Mapping[str, int]
    matched: int
    unmatched: int
    ambiguous: int
    users_with_code: int
    users_without_code: int
    users_with_short_code: int


@dataclass(frozen=True, slots=True)
class Zone:
    """What a time zone's name means to this machine, and to the package that we bring; None: that does not know it."""

    machine: ZoneRules
    package: ZoneRules | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a check-up looks at, read at `now` (aware UTC)."""

    now: datetime
    settings: Mapping[str, str]
    """Name -> value as it may be shown; secrets masked."""
    enabled: bool
    has_tokens: bool
    has_secret: bool
    webhook_url: str
    """As it is to be pasted into YCLIENTS, with the secret."""
    interval_minutes: int
    can_send_email: bool
    can_send_sms: bool
    schema_is_current: bool
    since: datetime | None
    """When this server started; None for a command."""
    by_status: Mapping[str, int] = field(default_factory=dict[str, int])
    matched: int = 0
    unmatched: int = 0
    ambiguous: int = 0
    users_with_code: int = 0
    users_without_code: int = 0
    users_with_short_code: int = 0
    """Of fewer than `SHORT_CODE` characters: an import or an admin brought them."""
    programme: Programme = OFF
    has_tables: bool = True
    """Whether our schema was ever made in this database."""
    last_bookings: tuple[SyncedBooking, ...] = ()
    companies: tuple[CompanyFacts, ...] = ()
    last_webhook_at: datetime | None = None
    quarantine: int = 0
    own_faults: int = 0
    """Of those in quarantine: what failed by a fault of Zerkalo's own."""
    waiting_refetches: int = 0
    worker_seen_at: datetime | None = None
    zones: Mapping[str, Zone] = field(default_factory=dict[str, Zone])
    """The companies' zones by name."""
    outbox_failing: int = 0
    failing_tasks: tuple[FailingTask, ...] = ()
    machine: Machine = field(default_factory=Machine)
    """As `zerkalo check` sees it; the pages and the API do not look."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to do. `code` is stable; `values` fill the texts."""

    code: str
    severity: Severity
    values: Mapping[str, object] = field(default_factory=dict[str, object])
