"""Reconcile: carry out one run of one company, from its stored progress to its end.

Memory does not grow with the number of records: a page is applied as it comes, and only the ids of one slice are held.
A record counts as absent only after a list was read to its end and YCLIENTS was asked for the record by its id.
"""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from msgspec.structs import replace

from zerkalo.absences import store as absences
from zerkalo.companies import store as companies
from zerkalo.companies.model import Company
from zerkalo.companies.rules import reads_by_other_rules
from zerkalo.db.transaction import transaction
from zerkalo.kit.zones import rules_of, zone_of
from zerkalo.mirror.context import RecordsQuery, SyncContext
from zerkalo.mirror.refetching.service import Refetcher
from zerkalo.refetches import store as refetches
from zerkalo.refetches.model import Refetch
from zerkalo.runs import rules
from zerkalo.runs import store as runs
from zerkalo.runs.capacity.service import Capacity
from zerkalo.runs.lease.service import Lease
from zerkalo.runs.lists.service import ListReader
from zerkalo.runs.model import Counts, Phase, Progress, Run, Slice

log = structlog.get_logger(__name__)


class Stopped(Exception):
    """This process is ending: another one continues the run."""


class Reconciliation:
    """One run while this process carries it out. Used once."""

    def __init__(
        self,
        context: SyncContext,
        refetcher: Refetcher,
        run: Run,
        company: Company,
        lease: Lease,
        capacity: Capacity,
        stop: asyncio.Event | None = None,
    ) -> None:
        self._context = context
        self._refetcher = refetcher
        self._run = run
        self._company = company
        self._lease = lease
        self._capacity = capacity
        self._stop = stop
        self._zone: ZoneInfo | None = None
        self._lists = ListReader(context, company.id, check=self._check, run_id=run.id)
        self._asked_count = 0

    async def carry(self) -> None:
        """Read all that the run still has to read, apply it and finish the run.

        Raises `VendorUnavailable` or `IncompleteRead` (the run fails), `AccessDenied` (YCLIENTS refuses us),
        `LeaseLost` (another process has the run) or `Stopped`. What was applied stays, and nothing counts as absent.
        """
        is_planned = self._run.progress.pending is not None
        full_window = self._run.progress.full_window if is_planned else await self._may_read_window()
        self._read_by(self._company)
        async with self._context.pool.connection() as conn:
            waiting = await absences.waiting(conn, self._company.id)
        self._lists.waiting = {one.record_id for one in waiting}
        zone = self._zone
        if full_window or zone is None or reads_by_other_rules(self._company, zone.key, rules_of(zone)):
            await self._learn_company()
        if not is_planned:
            full_window = full_window or self._run.full_history
            await self._plan(full_window=full_window)
        if self._run.progress.phase is Phase.RECENT:
            await self._read_recent()
        if self._run.progress.phase is Phase.VISITS:
            await self._read_visits()
        if self._run.progress.phase is Phase.CHANGED:
            await self._read_changed_in_window()
        read_until = self._covered_until()
        if full_window:  # otherwise the run consists of the changes, which have just been read
            read_until = await self._read_changes_since(read_until)
        self._check()
        await self._save(counts=rules.count_outcomes(await self._refetcher.judge_absent(self._company.id)))
        async with transaction(self._context.pool) as conn:
            await runs.finish_run(
                conn, self._run, self._lease.owner, read_until=read_until, now=self._context.clock()
            )

    async def _learn_company(self) -> None:
        """Store the branch's title and zone; where a new zone changes the times of visits, this run reads the whole history."""
        told = await self._context.vendor.company(self._company.id)
        zone = zone_of(told.timezone_name)
        if told.timezone_name and zone is None:
            log.warning(
                "Синхронизация: неизвестный часовой пояс",
                company_id=self._company.id,
                zone=told.timezone_name,
            )
        self._lease.check()
        async with transaction(self._context.pool) as conn:
            is_owed = await companies.put_company(conn, self._company.id, told=told, zone=zone)
            if is_owed and self._run.progress.pending is None:
                self._run = await runs.take_history(conn, self._run.id, self._lease.owner)
            known = await companies.company(conn, self._company.id)
        assert known is not None, "the run has a company"
        self._read_by(rules.believed(known, self._context.clock()))

    def _read_by(self, company: Company) -> None:
        self._company = company
        self._zone = zone_of(company.timezone_name)
        self._lists.read_by(company)

    async def _may_read_window(self) -> bool:
        return self._run.full_history or await self._capacity.reads_full_window(self._company)

    async def _plan(self, *, full_window: bool) -> None:
        """Store the plan before reading anything, so that a process that resumes the run reads the same."""
        start = rules.window_start(self._context.clock(), self._zone, self._context.window_days)
        pending = rules.first_slices(start, history=self._run.full_history) if full_window else ()
        progress = replace(
            self._run.progress, pending=pending, full_window=full_window, covered_until=self._run.started_at
        )
        await self._save(progress, window_start=start)

    # The parts of a run

    async def _read_recent(self) -> None:
        """Read changes since the watermark; without one, since the window's first day, unless it is read anyway."""
        covered_until, since = self._covered_until(), self._company.changes_read_until
        if since is None and not self._run.progress.full_window:
            since = self._window_back()
        if since is not None:
            covered_until = await self._read_changes_since(since)
        await self._save(replace(self._run.progress, phase=Phase.VISITS, covered_until=covered_until))

    async def _read_visits(self) -> None:
        while self._run.progress.pending:
            await self._catch_up()
            await self._read_slice(self._run.progress.pending[0])
        phase = Phase.CHANGED if self._run.progress.full_window else Phase.LAST
        await self._save(replace(self._run.progress, phase=phase))

    async def _catch_up(self) -> None:
        """In a run longer than a period, read the changes once a period, before the next slice."""
        if self._context.clock() - self._covered_until() >= self._context.interval:
            covered_until = await self._read_changes_since(self._covered_until())
            await self._save(replace(self._run.progress, covered_until=covered_until))

    async def _read_slice(self, part: Slice) -> None:
        """Read a slice to its end and ask for our bookings in it that it did not show; or halve it, if it is large."""
        async with self._context.pool.connection() as conn:
            up_to_id = await runs.newest_booking_id(conn)
        parts = rules.halves(part, rules.local_today(self._context.clock(), self._zone))
        watch = await self._lists.read(
            RecordsQuery(start_date=part.first, end_date=part.last),
            keep_ids=True,
            give_up_large=len(parts) > 1,
            on_page=partial(self._count, tells_length=self._is_planned(part)),
        )
        if watch is None:
            await self._save(rules.halved_slice(self._run.progress, parts))
            return
        await self._ask_absent(part, up_to_id, watch.ids)
        await self._ask_unsure()
        await self._save(rules.finished_slice(self._run.progress))

    async def _read_changed_in_window(self) -> None:
        await self._read_changes_since(self._window_back())
        await self._save(replace(self._run.progress, phase=Phase.LAST))

    async def _read_changes_since(self, moment: datetime) -> datetime:
        """Read what changed since `moment`, less the overlap. Returns our time just before the first question."""
        asked_at = self._context.clock()
        query = RecordsQuery(changed_after=rules.changed_after(moment, self._zone))
        await self._lists.read(query, keep_ids=False, on_page=self._count)
        await self._ask_unsure()
        return asked_at

    # Asking one by one

    async def _ask_absent(self, part: Slice, up_to_id: int, shown: set[int]) -> None:
        self._lease.check()
        async with transaction(self._context.pool) as conn:
            absent = await runs.not_shown(
                conn, self._company.id, part, up_to_id=up_to_id, shown=shown | self._lists.waiting
            )
        if absent:
            log.info(
                "Синхронизация: записи не показаны, спрашиваем по одной",
                company_id=self._company.id,
                count=len(absent),
            )
            await self._ask(absent, reason="absent from a complete read")

    async def _ask_unsure(self) -> None:
        """Read by id the records that a page could not decide: the same change time with other content."""
        unsure, self._lists.unsure = self._lists.unsure, set()
        if unsure:
            await self._ask(sorted(unsure), reason="a list left it open")

    async def _ask(self, record_ids: Sequence[int], *, reason: str) -> None:
        room = max(0, self._context.limits.asked_per_run_max - self._asked_count)
        self._asked_count += len(record_ids[:room])
        self._check()
        outcomes = await self._refetcher.ask(
            self._company.id, record_ids[:room], reason=reason, check=self._check
        )
        await self._save(counts=rules.count_outcomes(outcomes))
        later = [Refetch(self._company.id, record_id, reason=reason) for record_id in record_ids[room:]]
        if later:
            async with transaction(self._context.pool) as conn:
                await refetches.ask(conn, later, now=self._context.clock())

    # Keeping

    def _check(self) -> None:
        """End a run that is not ours any more, or whose process ends. Called before each request and write."""
        self._lease.check()
        if self._stop is not None and self._stop.is_set():
            raise Stopped

    def _covered_until(self) -> datetime:
        """The instant until which every change is read; the window's start where a wrong clock wrote it."""
        moment, now = self._run.progress.covered_until or self._run.started_at, self._context.clock()
        return self._window_back() if rules.lies_ahead(moment, now) else moment

    def _window_back(self) -> datetime:
        return self._context.clock() - timedelta(days=self._context.window_days)

    def _is_planned(self, part: Slice) -> bool:
        """Whether this is a slice as it was planned, not a half of one."""
        assert self._run.window_start is not None, "the plan set it"
        return part in rules.first_slices(self._run.window_start, history=self._run.full_history)

    async def _count(self, counts: Counts, total: int | None, *, tells_length: bool = False) -> None:
        """Store the outcomes of a page. `tells_length`: of a planned slice, whose first page gives the number of records."""
        expected = None
        if tells_length and total is not None:
            expected = total if self._run.expected is None else self._run.counts.fetched + total
        if expected is not None or counts != Counts():
            await self._save(counts=counts, expected=expected)

    async def _save(
        self,
        progress: Progress | None = None,
        *,
        counts: Counts | None = None,
        expected: int | None = None,
        window_start: date | None = None,
    ) -> None:
        self._lease.check()
        async with transaction(self._context.pool) as conn:
            self._run = await runs.save_progress(
                conn,
                self._run.id,
                self._lease.owner,
                progress=progress,
                counts=counts,
                expected=expected,
                window_start=window_start,
            )
