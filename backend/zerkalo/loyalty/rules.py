"""Compute what a booking earns, and the entries that bring its ledger to that. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal

from zerkalo.loyalty.model import (
    BookingLedger,
    EarningState,
    EntryDraft,
    Kind,
    LedgerLine,
    LoyaltyPolicy,
    Movement,
    Reason,
    Terms,
)

SPENT_DAYS = 365
"""Tiers count the spending of this many days before the day of the visit."""


def visit_on(starts_at: datetime, starts_local: datetime | None) -> date:
    """Return the date of a visit in the salon's zone.

    `starts_local` is the salon's wall clock; None where its zone is unknown: then the date of `starts_at` in UTC.
    """
    return (starts_local or starts_at).date()


def points_for(price_kopecks: int, percent: Decimal) -> int:
    """Whole points for a price: floor(roubles × percent / 100), exact; a negative price earns nothing."""
    numerator, denominator = percent.as_integer_ratio()
    return max(price_kopecks, 0) * numerator // (denominator * 100 * 100)


def least_percent(policy: LoyaltyPolicy) -> Decimal:
    """The percent that a completed visit earns at the least, whatever its user has spent."""
    return min((policy.percent, *(tier.percent for tier in policy.tiers)))


def percent_for(policy: LoyaltyPolicy, spent_kopecks: int) -> Decimal:
    """The percent of a first accrual: the highest tier that the user's spending reaches, else the common percent."""
    reached = [tier.percent for tier in policy.tiers if spent_kopecks >= tier.from_roubles * 100]
    return reached[-1] if reached else policy.percent


def ledger_of(lines: Iterable[LedgerLine]) -> dict[int, BookingLedger]:
    """The ledgers of bookings, by booking id, from their entries in the order of entry ids."""
    ledgers: dict[int, BookingLedger] = {}
    for line in lines:
        ledger = ledgers.get(line.booking_id, BookingLedger())
        terms = ledger.terms
        if line.kind is Kind.ACCRUAL and line.percent is not None:
            terms = (
                Terms(terms.percent, _earlier(terms.start_date, line.start_date))
                if terms
                else Terms(line.percent, line.start_date)
            )
        sums = {**ledger.sums, line.user_id: ledger.sums.get(line.user_id, 0) + line.amount}
        ledgers[line.booking_id] = BookingLedger(sums, terms, ledger.entry_count + 1)
    return ledgers


def policy_from(policy: LoyaltyPolicy, earns_from: date | None) -> LoyaltyPolicy:
    """Return the programme for a user whose visits before `earns_from` earned in another programme."""
    if earns_from is None or (policy.start_date is not None and policy.start_date >= earns_from):
        return policy
    return replace(policy, start_date=earns_from)


def may_earn(state: EarningState, policy: LoyaltyPolicy) -> bool:
    """Whether a booking that never accrued would earn under these settings (perhaps zero points)."""
    return policy.enabled and _earns(state, policy.start_date)


def needs_spending(state: EarningState, ledger: BookingLedger, policy: LoyaltyPolicy) -> bool:
    """Return whether settling needs the user's spending: at a first accrual, where there are tiers."""
    return bool(policy.tiers) and ledger.terms is None and may_earn(state, policy)


def settle(
    state: EarningState, ledger: BookingLedger, policy: LoyaltyPolicy, spent_kopecks: int = 0
) -> tuple[EntryDraft, ...]:
    """Return the entries that make a booking's ledger sum to what its state earns: target − current sum.

    Empty when it does already, so settling is idempotent. `spent_kopecks` is what the user's completed
    visits cost in the `SPENT_DAYS` before the day of this one; it is used only where `needs_spending`.

    A booking that accrued once keeps its terms: the percent of its first accrual, and the earliest start
    date it accrued under. Switching the programme off, or starting it later, reverses nothing.
    """
    terms, earns = _terms(state, ledger, policy, spent_kopecks)
    target = points_for(state.price_kopecks, terms.percent) if terms and earns else 0
    drafts: list[EntryDraft] = []

    def add(user_id: int, amount: int, kind: Kind, reason: Reason, terms: Terms | None = None) -> None:
        drafts.append(
            EntryDraft(
                user_id=user_id,
                booking_id=state.booking_id,
                amount=amount,
                kind=kind,
                reason=reason,
                percent=terms.percent if terms else None,
                start_date=terms.start_date if terms else None,
                # The count of entries is part of the key: of two writers that read the same ledger only one can
                # append, even if their entries differ.
                entry_key=f"booking:{state.booking_id}:{ledger.entry_count + len(drafts)}",
            )
        )

    for user_id, has in sorted(ledger.sums.items()):
        if has and user_id != state.user_id:
            add(user_id, -has, Kind.REVERSAL, Reason.OTHER_USER if state.user_id else Reason.NOT_EARNED)
    if state.user_id is None:
        return tuple(drafts)
    has = ledger.sums.get(state.user_id, 0)
    if target == has:
        pass
    elif not earns:
        add(state.user_id, -has, Kind.REVERSAL, Reason.NOT_EARNED)
    elif has == 0:
        add(state.user_id, target, Kind.ACCRUAL, Reason.COMPLETED, terms)
    else:
        add(state.user_id, target - has, Kind.ADJUSTMENT, Reason.PRICE_CHANGED)
    return tuple(drafts)


def _terms(
    state: EarningState, ledger: BookingLedger, policy: LoyaltyPolicy, spent_kopecks: int
) -> tuple[Terms | None, bool]:
    """The terms that hold for a booking, and whether its state earns under them."""
    if ledger.terms is not None:
        start_date = ledger.terms.start_date
        if policy.enabled:
            start_date = _earlier(start_date, policy.start_date)
        return Terms(ledger.terms.percent, start_date), _earns(state, start_date)
    if not may_earn(state, policy):
        return None, False
    return Terms(percent_for(policy, spent_kopecks), policy.start_date), True


def _earlier(start: date | None, other: date | None) -> date | None:
    """Return the earlier start; None covers every visit and so is the earliest."""
    return None if start is None or other is None else min(start, other)


def _earns(state: EarningState, start_date: date | None) -> bool:
    """Whether a state earns at all in a programme that started on `start_date`."""
    return (
        state.status == "COMPLETED"
        and state.user_id is not None
        and (start_date is None or state.visit_on >= start_date)
    )


@dataclass(slots=True)
class _Lot:
    """Points received together: how many are left, and how many have expired."""

    booking_id: int | None
    effective_at: datetime
    left: int
    expired: int = 0


@dataclass(slots=True)
class _Account:
    """A user's movements, applied in order. Invariant: balance = sum of what is left − debt − refund."""

    lots: list[_Lot]
    debt: int = 0
    """Points spent beyond the balance; the next points received cover it."""
    refund: int = 0
    """Expired points that were later reversed as unearned and are still to be given back."""

    def take(self, amount: int, lots: Iterable[_Lot], *, expiring: bool = False) -> int:
        """Take up to `amount` from what is left in `lots`, in their order; return what could not be taken."""
        for lot in lots:
            taken = min(lot.left, amount)
            lot.left -= taken
            lot.expired += taken if expiring else 0
            amount -= taken
        return amount

    def follow(self, movement: Movement) -> None:
        """Apply one movement."""
        if movement.amount > 0:
            self._come(movement)
        elif movement.kind is Kind.EXPIRY:
            self.refund += self.take(-movement.amount, self.lots, expiring=True)
        elif movement.booking_id is not None:
            self._unearn(movement.booking_id, -movement.amount)
        else:
            self.debt += self.take(-movement.amount, self.lots)

    def _come(self, movement: Movement) -> None:
        amount = movement.amount
        if movement.kind is Kind.EXPIRY:
            given_back = min(self.refund, amount)
            self.refund -= given_back
            amount -= given_back
        fills = min(self.debt, amount)
        self.debt -= fills
        self.lots.append(_Lot(movement.booking_id, movement.effective_at, amount - fills))

    def _unearn(self, booking_id: int, amount: int) -> None:
        """Deduct reversed points of a booking: first those left, then expired ones (given back, as they would be
        deducted twice), then spent ones, from other lots or as a debt.
        """
        own = [lot for lot in reversed(self.lots) if lot.booking_id == booking_id]
        amount = self.take(amount, own)
        for lot in own:
            undone = min(lot.expired, amount)
            lot.expired -= undone
            self.refund += undone
            amount -= undone
        self.debt += self.take(amount, self.lots)


def expire(movements: Sequence[Movement], expire_before: datetime | None) -> tuple[tuple[int, Reason], ...]:
    """Return the `expiry` entries an account needs now, as (amount, reason): at most one positive and one negative.

    Redemptions and expiries consume the oldest points first. Points that came before `expire_before` and are still
    left expire (None: none do). Expired points of a booking that is reversed later are given back, so a reversal
    never deducts them again. Expiring is idempotent and never makes a balance negative.
    """
    account = _Account([])
    for movement in movements:
        account.follow(movement)
    entries: list[tuple[int, Reason]] = []
    if account.refund:
        entries.append((account.refund, Reason.EXPIRED_NOT_EARNED))
    if expire_before is not None:
        expiring = sum(lot.left for lot in account.lots if lot.effective_at < expire_before)
        if expiring:
            entries.append((-expiring, Reason.EXPIRED))
    return tuple(entries)


def next_expiry(movements: Sequence[Movement], expire_days: int, zone: tzinfo) -> tuple[int, date] | None:
    """Return how many points expire next unless spent, and on which day in `zone`; None: none are left."""
    account = _Account([])
    for movement in movements:
        account.follow(movement)
    span = timedelta(days=expire_days)
    by_day: dict[date, int] = {}
    for lot in account.lots:
        if lot.left:
            day = (lot.effective_at + span).astimezone(zone).date()
            by_day[day] = by_day.get(day, 0) + lot.left
    first = min(by_day, default=None)
    return None if first is None else (by_day[first], first)


def expiry_drafts(
    user_id: int, movements: Sequence[Movement], expire_before: datetime | None, last_id: int
) -> list[EntryDraft]:
    """Return `expire` as entries to append. Their key names the entry that they follow: only one of two sweeps can append.

    `last_id`: the account's latest entry, of undone ones too. One that stands may be older than an expiry that was undone,
    whose key would be that of the new one.
    """
    due = expire(movements, expire_before)
    return _as_drafts(user_id, [(amount, reason, None) for amount, reason in due], last_id)


def expiry_drafts_again(
    user_id: int,
    movements: Sequence[Movement],
    moments: Sequence[Movement],
    span: timedelta | None,
    last_id: int,
) -> list[EntryDraft]:
    """Return the expiries of an account as if they had been computed just before each of these `moments`, in their order.

    For an account whose past has changed: expiries that counted other points were taken out of `movements`, and points
    spent since must not be taken from those that had expired by then. `span`: how long points live (None: for ever).
    Each draft counts from its moment.
    """
    known = list(movements)
    due: list[tuple[int, Reason, datetime | None]] = []
    for moment in moments:
        place = bisect_left(known, _order_of(moment), key=_order_of)
        before = moment.effective_at - span if span is not None else None
        for amount, reason in expire(known[:place], before):
            # What expired is dated before whatever was spent at that moment: its id will be higher.
            at = moment.effective_at - _TICK if amount < 0 else moment.effective_at
            due.append((amount, reason, at))
            known.insert(place, Movement(amount, Kind.EXPIRY, None, moment.effective_at, moment.id))
            place += 1
    return _as_drafts(user_id, due, last_id)


_TICK = timedelta(microseconds=1)


def _order_of(movement: Movement) -> tuple[datetime, int]:
    return movement.effective_at, movement.id


def _as_drafts(
    user_id: int, due: Iterable[tuple[int, Reason, datetime | None]], last_id: int
) -> list[EntryDraft]:
    return [
        EntryDraft(
            user_id, amount, Kind.EXPIRY, reason, f"expiry:{user_id}:after:{last_id}:{index}", effective_at=at
        )
        for index, (amount, reason, at) in enumerate(due)
    ]
