"""Facts and findings of a check-up, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from zerkalo.checkup.machine.model import Machine
from zerkalo.kit.zones import ZoneRules
from zerkalo.loyalty.model import OFF, Programme


class Severity(StrEnum):
    """Whether a problem must be fixed (`zerkalo check` exits with 1) or is only advice."""

    ERROR = "error"
    ADVICE = "advice"


class Verdict(StrEnum):
    """The overall result of a check-up."""

    WELL = "well"
    UNFINISHED = "unfinished"
    """Nothing fails, but the setup is incomplete: no webhook yet, or no bookings linked to users."""
    ILL = "ill"


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of asking YCLIENTS about a company. `problem`: a code, "" where it answered; `reason`: why."""

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
    """Bookings that YCLIENTS does not know, too many to cancel without a person's confirmation."""
    absent_newest: int | None = None
    """The number under which the newest of them was left to a person."""
    refused_records: int = 0
    """Records for which YCLIENTS answers 403 or 422, though it returns the others."""
    is_running: bool = False
    """Whether a worker holds the lease of a run; a run not taken up yet, or whose worker is gone, does not count."""
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class SyncedBooking:
    """One of the last written bookings, without personal data."""

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
    """A periodic task whose last runs all failed. `error`: the class of the last failure."""

    name: str
    failures: int
    error: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts over all bookings and users: with a million of them, reading takes a tenth of a second or more."""

    by_status: Mapping[str, int]
    matched: int
    unmatched: int
    ambiguous: int
    users_with_code: int
    users_without_code: int
    users_with_short_code: int


@dataclass(frozen=True, slots=True)
class Zone:
    """The rules of a zone by this machine's data and by the bundled package's; None: the package does not know it."""

    machine: ZoneRules
    package: ZoneRules | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a check-up examines, read at `now` (aware UTC)."""

    now: datetime
    settings: Mapping[str, str]
    """Name -> printable value; secrets masked."""
    enabled: bool
    has_tokens: bool
    has_secret: bool
    webhook_url: str
    """The address to paste into YCLIENTS, with the secret."""
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
    """Users whose code, from an import or an admin, has fewer than `SHORT_CODE` characters."""
    programme: Programme = OFF
    has_tables: bool = True
    """Whether our schema was ever made in this database."""
    last_bookings: tuple[SyncedBooking, ...] = ()
    companies: tuple[CompanyFacts, ...] = ()
    last_webhook_at: datetime | None = None
    quarantine: int = 0
    own_faults: int = 0
    """Quarantined deliveries that failed by an error in Zerkalo itself."""
    waiting_refetches: int = 0
    worker_seen_at: datetime | None = None
    zones: Mapping[str, Zone] = field(default_factory=dict[str, Zone])
    """The companies' zones by name."""
    outbox_failing: int = 0
    refused_cards: int = 0
    """Cards of YCLIENTS that the token may not write a balance to; 0 where none is to be written."""
    failing_tasks: tuple[FailingTask, ...] = ()
    machine: Machine = field(default_factory=Machine)
    """Examined by `zerkalo check` only, not by the pages and the API."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem or an advice. `code` is stable; `values` fill the texts."""

    code: str
    severity: Severity
    values: Mapping[str, object] = field(default_factory=dict[str, object])
