"""What the ledger is made of: settings, the state of a booking that earns, entries; frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    """What an entry is; the words of the contract."""

    ACCRUAL = "accrual"
    REVERSAL = "reversal"
    ADJUSTMENT = "adjustment"
    REDEMPTION = "redemption"
    EXPIRY = "expiry"


class Reason(StrEnum):
    """Why an entry of ours was made. Stable words: pages translate them. Entries by hand carry free text instead."""

    COMPLETED = "completed"
    PRICE_CHANGED = "price_changed"
    NOT_EARNED = "not_earned"
    """The booking is no longer completed, or its visit moved before the start."""
    OTHER_USER = "other_user"
    EXPIRED = "expired"
    EXPIRED_NOT_EARNED = "expired_not_earned"
    """Gives back expired points that were later reversed as unearned, so that they are not deducted twice."""
    MERGED = "merged"
    UNMERGED = "unmerged"
    TILL = "till"
    """Spent at the till."""
    UNDONE = "undone"
    """A spending at the till that was undone."""
    OPENING = "opening"
    """Imported points that belong to no single visit."""


@dataclass(frozen=True, slots=True)
class Tier:
    """The percent that a visit earns if at least this many roubles were spent in the year before it."""

    from_roubles: int
    percent: Decimal


@dataclass(frozen=True, slots=True)
class LoyaltyPolicy:
    """The settings of the programme. `tiers` ascend; `start_date` None: every visit; `expire_days` None: never."""

    enabled: bool
    percent: Decimal
    start_date: date | None = None
    tiers: tuple[Tier, ...] = ()
    expire_days: int | None = None


@dataclass(frozen=True, slots=True)
class Programme:
    """The programme for a person to read; `percent` None: it is off.

    `history_…`: what visits before the day of its first start were given, since an earlier LOYALTY_START_DATE.
    """

    percent: Decimal | None = None
    starts_on: date | None = None
    history_points: int = 0
    history_visits: int = 0
    history_since: date | None = None


OFF = Programme()


@dataclass(frozen=True, slots=True)
class EarningState:
    """The fields of a booking that decide its points. `visit_on` is the date in the salon's zone (`rules.visit_on`)."""

    booking_id: int
    revision: int
    """The row's revision: 1 has just been inserted, so it has no entries yet."""
    user_id: int | None
    status: str
    price_kopecks: int
    visit_on: date


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms that a booking's accruals fixed permanently."""

    percent: Decimal
    """Of the first accrual."""
    start_date: date | None
    """The earliest programme start that any of them was made under; None: there was none."""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """An entry of a booking, as settling needs it."""

    booking_id: int
    user_id: int
    amount: int
    kind: Kind
    percent: Decimal | None
    start_date: date | None


@dataclass(frozen=True, slots=True)
class BookingLedger:
    """The ledger of one booking: the sum per user, and its fixed terms (None: it never accrued)."""

    sums: Mapping[int, int] = field(default_factory=dict[int, int])
    terms: Terms | None = None
    entry_count: int = 0

    @property
    def percent(self) -> Decimal | None:
        """The percent of the first accrual."""
        return self.terms.percent if self.terms else None


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """An entry to append. `amount` is in points, signed, never 0; `entry_key` makes the same movement the same entry."""

    user_id: int
    amount: int
    kind: Kind
    reason: str
    entry_key: str
    booking_id: int | None = None
    percent: Decimal | None = None
    start_date: date | None = None
    created_by: int | None = None
    balance_after: int | None = None
    visit_id: int | None = None
    """Of a redemption: the visit it is made for. It does not change what that booking earns."""
    undoes: int | None = None
    """The entry that this one reverses in full."""
    effective_at: datetime | None = None
    """When it counts from; None: from when it is written."""


@dataclass(frozen=True, slots=True)
class Movement:
    """An entry of a user, as expiring needs it; a user's movements come in the order of (effective_at, id)."""

    amount: int
    kind: Kind
    booking_id: int | None
    effective_at: datetime
    id: int = 0


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A movement of points. `reason` is a stable word of ours, or free text where an admin made it."""

    id: int
    booking_id: int | None
    amount: int
    kind: Kind
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class HandEntry:
    """A movement that the staff made by hand, and the balance it left. The same for every repetition of the request."""

    id: int
    user_id: int
    amount: int
    kind: Kind
    reason: str
    balance_after: int
    created_at: datetime
