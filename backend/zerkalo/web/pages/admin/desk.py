"""What the desk caches between requests: counts over a million rows, YCLIENTS's answers, the last drift."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from zerkalo.booking_form.form import BookingForm
from zerkalo.booking_form.model import HookState
from zerkalo.bookings.journal import store as journal
from zerkalo.bookings.journal.model import Staff
from zerkalo.checkup.model import Answer, Counts, Facts
from zerkalo.checkup.service import ask_companies, examine, with_answers
from zerkalo.checkup.store import read_counts
from zerkalo.db.pool import Pool
from zerkalo.kit.clock import Clock
from zerkalo.kit.problem import ProblemError
from zerkalo.kit.single_flight import SingleFlight
from zerkalo.reports.model import Period, Report
from zerkalo.reports.service import read_report
from zerkalo.settings import Settings
from zerkalo.web import stats
from zerkalo.web.pages.admin.kept import Asked, Kept, keep_seconds
from zerkalo.web.stats import Day, LedgerTotals

T = TypeVar("T")

STAFF_SINCE = timedelta(days=90)
"""The journal's filter offers the specialists who had a booking in this period."""

ASK_SECONDS = 60.0
"""The desk asks YCLIENTS at most this often, and only while somebody has it open."""
ASKED_AT_ONCE = 5
"""Companies asked at once; the others are asked the next times."""


@dataclass(frozen=True, slots=True)
class Charts:
    """The series of the charts, by the salon's day."""

    bookings: Sequence[Day]
    deliveries: Sequence[Day]
    points: Sequence[Day]
    ledger: LedgerTotals


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """A branch's webhook settings as far as they concern us, or the `code` of the problem that kept us from reading them."""

    state: HookState | None
    problem: str | None = None


class DeskRuntime(Protocol):
    """What the desk needs of the process's parts."""

    @property
    def pool(self) -> Pool: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def booking_form(self) -> BookingForm: ...
    @property
    def started_at(self) -> datetime: ...

    async def ask_yclients(self, company_id: int) -> Answer:
        """Return whether YCLIENTS answers for a company."""
        ...


class Desk:
    """The desk's caches; one for each process."""

    def __init__(self, runtime: DeskRuntime) -> None:
        self._runtime = runtime
        company_ids = runtime.settings.yclients_company_ids
        self.counts: Kept[Counts] = Kept(self._read_counts)
        self._reports = SingleFlight()
        self.charts: Kept[Charts] = Kept(self._read_charts)
        self.staff: Kept[Sequence[Staff]] = Kept(self._read_staff)
        self.answers: Asked[dict[int, Answer]] = Asked(
            _in_turns(company_ids, self._ask), {}, every_seconds=ASK_SECONDS
        )
        self.hooks: Asked[dict[int, HookAnswer]] = Asked(
            _in_turns(company_ids, self._look_at_hooks), {}, every_seconds=ASK_SECONDS
        )

    @property
    def can_ask(self) -> bool:
        """Whether YCLIENTS is enabled and its tokens are set."""
        settings = self._runtime.settings
        return bool(
            settings.yclients_enabled and settings.yclients_partner_token and settings.yclients_user_token
        )

    async def facts(self) -> Facts:
        """Return the facts of `zerkalo check`. Counts may be some seconds old, YCLIENTS's answers a minute."""
        runtime = self._runtime
        facts = await examine(
            runtime.pool,
            runtime.settings,
            now=runtime.clock(),
            since=runtime.started_at,
            counts=await self.counts.get(),
        )
        return with_answers(facts, self.answers.peek()) if self.can_ask else facts

    async def report(self, period: Period, company_id: int | None) -> Report:
        """Return the owner's figures; those that took long to read are cached like the desk's other figures."""

        async def read() -> Report:
            companies = self._runtime.settings.yclients_company_ids
            return await read_report(self._runtime.pool, period, companies, only=company_id)

        return await self._reports.get((period, company_id), read, keep=keep_seconds)

    async def _read_counts(self) -> Counts:
        async with self._runtime.pool.connection() as conn:
            return await read_counts(conn)

    async def _read_staff(self) -> Sequence[Staff]:
        async with self._runtime.pool.connection() as conn:
            return await journal.read_staff(conn, since=self._runtime.clock() - STAFF_SINCE)

    async def _read_charts(self) -> Charts:
        now = self._runtime.clock()
        async with self._runtime.pool.connection() as conn:
            deliveries = await stats.deliveries_by_day(conn, now=now)
            failed = await stats.failed_runs_by_day(conn, now=now)
            return Charts(
                bookings=await stats.bookings_by_day(conn, now=now),
                deliveries=_joined(deliveries, failed),
                points=await stats.points_by_day(conn, now=now),
                ledger=await stats.ledger_totals(conn),
            )

    async def _ask(self, company_ids: Sequence[int]) -> dict[int, Answer]:
        return await ask_companies(self._runtime.ask_yclients, company_ids)

    async def _look_at_hooks(self, company_ids: Sequence[int]) -> dict[int, HookAnswer]:
        found: dict[int, HookAnswer] = {}
        for company_id in company_ids:
            try:
                found[company_id] = HookAnswer(await self._runtime.booking_form.hooks.hook_state(company_id))
            except ProblemError as problem:
                found[company_id] = HookAnswer(None, problem.code)
        return found


def _in_turns(
    company_ids: Sequence[int], ask: Callable[[Sequence[int]], Awaitable[dict[int, T]]]
) -> Callable[[], Awaitable[dict[int, T]]]:
    """Return a function that asks about some companies at each call and returns what is known of all."""
    known: dict[int, T] = {}
    waiting: list[int] = []

    async def next_ones() -> dict[int, T]:
        waiting[:] = waiting or company_ids
        asked = waiting[:ASKED_AT_ONCE]
        del waiting[:ASKED_AT_ONCE]
        known.update(await ask(asked))
        return dict(known)

    return next_ones


def _joined(first: Sequence[Day], second: Sequence[Day]) -> list[Day]:
    """Merge two series of days."""
    days = {day.day: dict(day.counts) for day in first}
    for day in second:
        days.setdefault(day.day, {}).update(day.counts)
    return [Day(day, days[day]) for day in sorted(days)]
