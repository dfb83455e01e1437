"""Read one list of records page by page and apply what it shows."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import tzinfo
from functools import partial
from typing import Self

import structlog

from zerkalo.absences import store as absences
from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import Source
from zerkalo.companies.model import Company
from zerkalo.db.transaction import transaction
from zerkalo.inbox import store as inbox
from zerkalo.kit.zones import zone_of
from zerkalo.mirror.context import RecordsQuery, SyncContext
from zerkalo.mirror.model import Observation, Outcome, OutcomeStatus
from zerkalo.mirror.snapshots import digest_of
from zerkalo.runs import rules
from zerkalo.runs.lists.rules import PAGE_RECORDS, PASSES_MAX, ListWatch
from zerkalo.runs.model import Counts
from zerkalo.yclients.limiter import Kind
from zerkalo.yclients.model import ListedRecord, ListPage, Record, UnreadableRecord
from zerkalo.yclients.payloads import read_listed

SEEN_MAX = 20_000
"""Records remembered by a digest of their bytes, so that one in two lists of a run is applied and counted once."""
UNSURE_MAX = 500
"""Records remembered to be read by id in the run itself; further ones are left to the refetches."""
LOGGED_MAX = 50
HALVED_FROM = 50
"""Records to write on a page from which on two transactions at once are quicker than one."""

NumberedPage = tuple[int, ListPage]
"""A page, and the number of its observation."""

log = structlog.get_logger(__name__)


class ListReader:
    """Reads the lists of one run. `check` is called before each request and each write, and ends the run by raising.

    `kind`: the share of the rate limit that its requests count in; `run_id`: written with what the lists change.
    """

    def __init__(
        self,
        context: SyncContext,
        company_id: int,
        *,
        check: Callable[[], None],
        kind: Kind = "background",
        run_id: int | None = None,
    ) -> None:
        self.unsure: set[int] = set()
        """Records that a page could not decide: the same change time with other content. Emptied by the caller."""
        self.waiting: set[int] = set()
        """Absent records that wait for a decision by a person; one that a list shows again is no longer absent."""
        self._context = context
        self._company_id = company_id
        self._check = check
        self._kind: Kind = kind
        self._run_id = run_id
        self._seen: OrderedDict[tuple[int | None, str], None] = OrderedDict()
        self._zone: tzinfo | None = None
        self._zone_rules: str | None = None

    def read_by(self, company: Company) -> None:
        """Read wall clocks in the company's zone; skip records that were read before by the same rules of the zone."""
        self._zone, self._zone_rules = zone_of(company.timezone_name), company.zone_rules

    async def read(
        self,
        query: RecordsQuery,
        *,
        keep_ids: bool,
        give_up_large: bool = False,
        on_page: Callable[[Counts, int | None], Awaitable[None]],
    ) -> ListWatch | None:
        """Read a list to its end, applying each page as it comes; read it again where it shifted meanwhile.

        `on_page` is awaited after each page with its outcomes and, for the first page, the length that the list gives.
        `keep_ids`: the result has the ids of all passes. None: the list is larger than a slice should be (only with
        `give_up_large`). Raises what the vendor's client raises, and `IncompleteRead` where the list has no end.
        """
        ids: set[int] = set()
        watch = ListWatch(keep_ids=keep_ids)
        for passed in range(PASSES_MAX):
            watch = ListWatch(keep_ids=keep_ids)
            async with _Pages(partial(self._ask_page, query)) as pages:
                while not watch.ended:
                    number, page = await pages.next()
                    watch.take([item.record_id for item in page.items], total=page.total_count)
                    is_large = give_up_large and watch.is_large(self._context.limits.slice_records_max)
                    if not watch.ended and not is_large:
                        pages.ask(watch.pages + 1)
                    is_first = watch.pages == 1 and not passed
                    await on_page(await self._take(page, number), page.total_count if is_first else None)
                    if is_large:
                        return None
            if keep_ids:
                ids |= watch.ids
            if watch.held_still():
                break
        watch.ids = ids
        return watch

    async def _ask_page(self, query: RecordsQuery, page: int) -> NumberedPage:
        self._check()
        async with self._context.pool.connection() as conn:
            number = await bookings.next_observation(conn)  # before the request is sent
        shown = await self._context.vendor.list_page(
            self._company_id, query, page=page, count=PAGE_RECORDS, kind=self._kind
        )
        return number, shown

    async def _take(self, page: ListPage, number: int) -> Counts:
        """Apply the records of a page that this run has not applied yet."""
        await self._forget_waiting(page)
        shown = [(item, digest_of(item.raw, self._zone_rules)) for item in page.items]
        news = [(item, digest) for item, digest in shown if self._is_news(item.record_id, digest)]
        changed = await self._changed(news)
        items = [read_listed(item, self._company_id, self._zone) for item in changed]
        records = [item for item in items if isinstance(item, Record)]
        unreadable = [item for item in items if isinstance(item, UnreadableRecord)]
        self._check()
        outcomes = await self._apply(records, number)
        refused = [(one.record_id, one.raw, one.reason) for one in unreadable]
        for record, outcome in zip(records, outcomes, strict=True):
            if outcome.status is OutcomeStatus.QUARANTINED:
                refused.append((record.record_id, record.raw, outcome.reason or ""))
            elif outcome.status is OutcomeStatus.QUEUED and len(self.unsure) < UNSURE_MAX:
                self.unsure.add(record.record_id)
        await self._quarantine(refused)
        counts = Counts(fetched=len(news), unchanged=len(news) - len(changed), failed=len(unreadable))
        return rules.count_outcomes(outcomes) + counts

    async def _forget_waiting(self, page: ListPage) -> None:
        shown = self.waiting.intersection(item.record_id for item in page.items)
        if shown:
            async with transaction(self._context.pool) as conn:
                await absences.forget(conn, self._company_id, shown)
            self.waiting -= shown

    async def _changed(self, news: Sequence[tuple[ListedRecord, str]]) -> list[ListedRecord]:
        """Records whose bytes differ from the last read by the API; the others are not even parsed."""
        ids = [item.record_id for item, _ in news if item.record_id is not None]
        if not ids:
            return [item for item, _ in news]
        async with self._context.pool.connection() as conn:
            known = await bookings.digests(conn, self._company_id, ids)
        return [
            item for item, digest in news if item.record_id is None or known.get(item.record_id) != digest
        ]

    async def _apply(self, records: Sequence[Record], number: int) -> Sequence[Outcome]:
        """Apply a page in two transactions at once: the one is decided here while PostgreSQL writes the other."""
        half = -(-len(records) // 2) if len(records) >= HALVED_FROM else len(records)
        parts = [part for part in (records[:half], records[half:]) if part]
        # Both are waited for, also where one of them fails: a write that nobody waits for would outlive the run.
        done = await asyncio.gather(
            *(self._apply_part(part, number) for part in parts), return_exceptions=True
        )
        outcomes: list[Outcome] = []
        for one in done:
            if isinstance(one, BaseException):
                raise one
            outcomes += one
        return outcomes

    async def _apply_part(self, records: Sequence[Record], number: int) -> Sequence[Outcome]:
        return await self._context.applier.apply(
            [
                Observation(
                    source=Source.PAGE,
                    company_id=self._company_id,
                    record_id=one.record_id,
                    record=one,
                    number=number,
                    run_id=self._run_id,
                )
                for one in records
            ]
        )

    async def _quarantine(self, refused: Sequence[tuple[int | None, bytes, str]]) -> None:
        if not refused:
            return
        log.warning(
            "Синхронизация: записи в карантине",
            company_id=self._company_id,
            yclients_record_ids=[record_id for record_id, _, _ in refused[:LOGGED_MAX]],
            reasons=sorted({reason for _, _, reason in refused})[:LOGGED_MAX],
        )
        async with transaction(self._context.pool) as conn:
            for record_id, raw, reason in refused:
                await inbox.quarantine_record(
                    conn,
                    company_id=self._company_id,
                    record_id=record_id,
                    raw=raw,
                    reason=reason,
                    now=self._context.clock(),
                )

    def _is_news(self, record_id: int | None, digest: str) -> bool:
        key = (record_id, digest)
        if key in self._seen:
            self._seen.move_to_end(key)
            return False
        self._seen[key] = None
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        return True


class _Pages:
    """Requests the next page while the one before it is written; cancels an unneeded request at the end."""

    def __init__(self, ask: Callable[[int], Awaitable[NumberedPage]]) -> None:
        self._ask = ask
        self._asked: asyncio.Task[NumberedPage] | None = None

    async def __aenter__(self) -> Self:
        self.ask(1)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._asked is not None:
            self._asked.cancel()
            await asyncio.gather(self._asked, return_exceptions=True)

    def ask(self, number: int) -> None:
        """Request a page, from 1, without waiting for it."""
        self._asked = asyncio.ensure_future(self._ask(number))

    async def next(self) -> NumberedPage:
        """The requested page. Raises what the request raised."""
        assert self._asked is not None, "a page is asked for before it is awaited"
        page = await self._asked
        self._asked = None
        return page
