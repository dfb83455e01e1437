"""What a sync reads, and when. Pure: `now` is an argument.

Visit dates are dates in the salon's zone; instants are aware UTC.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo

from msgspec.structs import replace

from zerkalo.companies.model import Company
from zerkalo.kit.clock import CLOCKS_APART_MAX
from zerkalo.mirror.model import Outcome, OutcomeStatus
from zerkalo.runs.lists.rules import PAGE_RECORDS
from zerkalo.runs.model import Counts, Progress, Slice

HISTORY_FIRST_DAY = date(2000, 1, 1)
"""Where a full history begins. YCLIENTS is younger; it documents no default for a missing `start_date`, so we send one."""
CHANGES_OVERLAP = timedelta(minutes=10)
"""The overlap of a read of changes with the one before: the vendor's clock and ours differ."""
UNKNOWN_ZONE_MARGIN = timedelta(hours=12)
"""A wall clock in a zone that we don't know is at most this far behind UTC."""
COMPANIES_AT_ONCE_MAX = 10
"""Up to so many companies have their first run at once; more are spread over the first period."""
FULL_WINDOW_AT_LEAST_EVERY = timedelta(hours=24)
OTHER_REQUESTS_OF_FULL_RUN = 5
"""Requests of a run besides its window: the branch, the changes before (two pages) and after (two)."""
RESUMES_MAX = 20
"""A run that so many processes could not finish fails: it may be what kills them."""


def believed(company: Company, now: datetime) -> Company:
    """The company without times that a fast clock wrote: they count as unknown.

    So a clock that was once hours ahead delays no run and hides no change behind its watermark.
    """

    def unless_ahead(moment: datetime | None) -> datetime | None:
        return None if moment is None or lies_ahead(moment, now) else moment

    return dataclasses.replace(
        company,
        known_since=min(company.known_since, now),
        last_run_started_at=unless_ahead(company.last_run_started_at),
        last_complete_read_at=unless_ahead(company.last_complete_read_at),
        changes_read_until=unless_ahead(company.changes_read_until),
    )


def lies_ahead(moment: datetime, now: datetime) -> bool:
    """Whether a stored time is impossible: ahead by more than machines' clocks differ."""
    return moment - now > CLOCKS_APART_MAX


def due_at(company: Company, *, companies_count: int, interval: timedelta) -> datetime:
    """When the company's next run is due: one interval after its last start, however that ended.

    One that never had a run is due at once; with a large `companies_count` at its own offset in the first period, so
    that the periods stay spread.
    """
    if company.last_run_started_at is not None:
        return company.last_run_started_at + interval
    if companies_count <= COMPANIES_AT_ONCE_MAX:
        return company.known_since
    # Knuth's multiplicative hash: neighbouring ids land far apart, and every machine computes the same.
    share = (company.id * 2_654_435_761 % 2**32) / 2**32
    return company.known_since + interval * share


def is_due(company: Company, *, now: datetime, companies_count: int, interval: timedelta) -> bool:
    """Whether the company's next run is due by now."""
    return due_at(company, companies_count=companies_count, interval=interval) <= now


def due_companies(
    companies: Sequence[Company], *, now: datetime, companies_count: int, interval: timedelta, limit: int
) -> tuple[int, ...]:
    """Ids of companies whose next run is due, longest due first, at most `limit`."""
    due = [(due_at(one, companies_count=companies_count, interval=interval), one.id) for one in companies]
    return tuple(company_id for at, company_id in sorted(due)[:limit] if at <= now)


def window_start(now: datetime, zone: tzinfo | None, window_days: int) -> date:
    """The first visit date of the window: `window_days` before today in the salon's zone (None: one day earlier)."""
    if zone is None:
        return (now.astimezone(UTC) - timedelta(days=window_days + 1)).date()
    return (now.astimezone(zone) - timedelta(days=window_days)).date()


def local_today(now: datetime, zone: tzinfo | None) -> date:
    """Today in the salon's zone, or in UTC where that is not known."""
    return now.astimezone(zone or UTC).date()


def changed_after(moment: datetime, zone: tzinfo | None) -> datetime:
    """`moment` less the overlap, as the salon's naive wall clock: what `changed_after` takes.

    The zone of that parameter is not documented; branch-local is inferred (fact sheet, section 3). If it were
    UTC, changes of the last hours would come late in salons east of it, and `drift` would show them.
    """
    earlier = moment - CHANGES_OVERLAP
    if zone is None:
        return (earlier - UNKNOWN_ZONE_MARGIN).astimezone(UTC).replace(tzinfo=None)
    local = earlier.astimezone(zone)
    # An hour that occurs twice: read as the second one, this time would hide the changes between.
    set_back = _offset(local) - _offset(local.replace(fold=1))
    return (local - set_back).replace(tzinfo=None)


def _offset(local: datetime) -> timedelta:
    offset = local.utcoffset()
    assert offset is not None, "the time is aware"
    return offset


def first_slices(start: date, *, history: bool) -> tuple[Slice, ...]:
    """The first slices: the window with its open future, then, until the history is complete, everything before."""
    window = Slice(start)
    if not history or start <= HISTORY_FIRST_DAY:
        return (window,)
    return (window, Slice(HISTORY_FIRST_DAY, start - timedelta(days=1)))


def halves(part: Slice, today: date) -> tuple[Slice, ...]:
    """The two halves of a slice, earlier first; the slice itself where it can't be divided.

    The open future is cut after today, then after spans that double: how far ahead a salon books is unknown, and
    doubling finds it in a few steps.
    """
    if part.first == part.last:
        return (part,)
    if part.last is not None:
        last = part.first + (part.last - part.first) // 2
    elif part.first <= today:
        last = today
    elif part.first - today < date.max - part.first:
        last = part.first + (part.first - today)
    else:
        return (part,)
    return (Slice(part.first, last), Slice(last + timedelta(days=1), part.last))


def window_requests(records: int, companies_count: int) -> int:
    """Requests of one run over the whole window for each of these companies; `records`: in all the windows together.

    A window is read by visit and again by change, each time up to an empty page.
    """
    pages = records // PAGE_RECORDS + companies_count  # a page that is not full, at most one a company
    return 2 * (pages + companies_count) + companies_count * OTHER_REQUESTS_OF_FULL_RUN


def reads_full_window(
    company: Company,
    *,
    now: datetime,
    interval: timedelta,
    expected_records: int,
    companies_count: int,
    windows_read: int,
    seconds_per_request: float,
) -> bool:
    """Whether this run reads the whole window, or only the changes because all windows would not fit the period.

    `expected_records`: in the windows of all `companies_count` companies, which share the rate limit and the period.
    Windows are read in every run where all of them take at most half a period; otherwise once in 24 hours, and at most
    so many a period (`windows_read`: in the last one) that half of it is left for changes.
    """
    if None in (company.history_read_at, company.last_complete_read_at, company.changes_read_until):
        return True
    requests = window_requests(expected_records, companies_count)
    if timedelta(seconds=requests * seconds_per_request) <= interval / 2:
        return True
    assert company.last_complete_read_at is not None, "asked above"
    if now - company.last_complete_read_at < FULL_WINDOW_AT_LEAST_EVERY:
        return False
    of_windows_read = timedelta(seconds=requests * seconds_per_request * windows_read / companies_count)
    return of_windows_read < interval / 2


def count_outcomes(outcomes: Iterable[Outcome]) -> Counts:
    """What these outcomes add to a run's counts, `fetched` excepted."""
    created = updated = unchanged = stale = cancelled = failed = 0
    for outcome in outcomes:
        if outcome.status is OutcomeStatus.APPLIED:
            if outcome.created:
                created += 1
            elif outcome.cancelled:
                cancelled += 1
            else:
                updated += 1
        elif outcome.status is OutcomeStatus.UNCHANGED:
            unchanged += 1
        elif outcome.status is OutcomeStatus.STALE:
            stale += 1
        elif outcome.status is OutcomeStatus.QUARANTINED or outcome.refused:
            failed += 1
    return Counts(
        created=created, updated=updated, unchanged=unchanged, stale=stale, cancelled=cancelled, failed=failed
    )


def finished_slice(progress: Progress) -> Progress:
    """The progress after its first pending slice has been read."""
    assert progress.pending, "a slice is finished only while one is pending"
    return replace(progress, pending=progress.pending[1:])


def halved_slice(progress: Progress, parts: tuple[Slice, ...]) -> Progress:
    """The progress with its first pending slice replaced by its parts."""
    assert progress.pending, "a slice is halved only while one is pending"
    return replace(progress, pending=parts + progress.pending[1:])
