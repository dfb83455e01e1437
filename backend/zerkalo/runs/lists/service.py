"""Read one list of records page by page and apply what it shows."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from typing import Any, Self

import structlog

from zerkalo.absences import store as absences
from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import Source
from zerkalo.companies.model import Company
from zerkalo.db.transaction import transaction
from zerkalo.inbox import store as inbox
from zerkalo.kit.zones import zone_of
from zerkalo.mirror.context import RecordsQuery, SyncContext
from zerkalo.mirror.model import Observation, Outcome, OutcomeStatus, Shown
from zerkalo.mirror.snapshots import digest_of
from zerkalo.runs import rules
from zerkalo.runs.lists.rules import PAGE_RECORDS, PASSES_MAX, ListWatch
from zerkalo.runs.model import Counts
from zerkalo.yclients.limiter import Kind
from zerkalo.yclients.model import ListedRecord, ListPage, Record, UnreadableRecord
from zerkalo.yclients.payloads import read_listed

SEEN_MAX = 20_000
"""Records remembered with a digest of their bytes, so that one in two lists of a run is applied and counted once."""
UNSURE_MAX = 500
"""Records remembered to be read by id in the run itself; further ones are left to the refetches."""
LOGGED_MAX = 50

NumberedPage = tuple[int, ListPage]
"""A page, and the number of its observation."""
Digested = tuple[ListedRecord, str]
"""A record, and the digest of its bytes."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What a page shows that this run and the database don't have as it is."""

    observations: Sequence[Observation]
    unreadable: Sequence[UnreadableRecord]
    counts: Counts
    """Of the whole page, without what applying it does."""


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
        self._seen: OrderedDict[int | str, str] = OrderedDict()
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
        """Read a list to its end, applying each page as it comes, two at once; read it again where it shifted meanwhile.

        `on_page` is awaited after each page with its outcomes and, for the first page, the length that the list gives.
        `keep_ids`: the result has the ids of all passes. None: the list is larger than a slice should be (only with
        `give_up_large`). Raises what the vendor's client raises, and `IncompleteRead` where the list has no end.
        """
        ids: set[int] = set()
        watch = ListWatch(keep_ids=keep_ids)
        for passed in range(PASSES_MAX):
            watch = ListWatch(keep_ids=keep_ids)
            async with _Pages(partial(self._ask_page, query)) as pages, _Writes(on_page) as writes:
                while not watch.ended:
                    number, page = await pages.next()
                    watch.take([item.record_id for item in page.items], total=page.total_count)
                    is_large = give_up_large and watch.is_large(self._context.limits.slice_records_max)
                    if not watch.ended and not is_large:
                        pages.ask(watch.pages + 1)
                    news, is_again = self._news(page)
                    if is_again:
                        await writes.end()  # the later state of a record is compared and written last
                    parsed = await self._parse(news, number)
                    is_first = watch.pages == 1 and not passed
                    await writes.begin(
                        partial(self._take, page, parsed), page.total_count if is_first else None
                    )
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

    async def _parse(self, news: Sequence[Digested], number: int) -> _Parsed:
        """Parse what the database has not as it is; the pages before may still be being written."""
        changed = await self._changed(news)
        observations: list[Observation] = []
        unreadable: list[UnreadableRecord] = []
        for item, digest in changed:
            record = read_listed(item, self._company_id, self._zone)
            if isinstance(record, Record):
                observations.append(self._observation(record, number, digest))
            else:
                unreadable.append(record)
        counts = Counts(fetched=len(news), unchanged=len(news) - len(changed), failed=len(unreadable))
        return _Parsed(observations, unreadable, counts)

    async def _take(self, page: ListPage, parsed: _Parsed, on_cards_held: Callable[[], None]) -> Counts:
        """Apply the records of a page that this run has not applied yet."""
        await self._forget_waiting(page)
        self._check()
        outcomes: Sequence[Outcome] = ()
        if parsed.observations:
            outcomes = await self._context.applier.apply(parsed.observations, on_cards_held=on_cards_held)
        refused = [(one.record_id, one.raw, one.reason) for one in parsed.unreadable]
        for one, outcome in zip(parsed.observations, outcomes, strict=True):
            if outcome.status is OutcomeStatus.QUARANTINED:
                refused.append((one.record_id, one.record.raw if one.record else b"", outcome.reason or ""))
            elif outcome.status is OutcomeStatus.QUEUED and len(self.unsure) < UNSURE_MAX:
                self.unsure.add(one.record_id)
        await self._quarantine(refused)
        return rules.count_outcomes(outcomes) + parsed.counts

    async def _forget_waiting(self, page: ListPage) -> None:
        shown = self.waiting.intersection(item.record_id for item in page.items)
        if shown:
            async with transaction(self._context.pool) as conn:
                await absences.forget(conn, self._company_id, shown)
            self.waiting -= shown

    def _news(self, page: ListPage) -> tuple[list[Digested], bool]:
        """The records that this run has not seen as they are, and whether it has seen one of them otherwise."""
        news: list[Digested] = []
        is_again = False
        for item in page.items:
            digest = digest_of(item.raw, self._zone_rules)
            before = self._remember(item.record_id, digest)
            if before != digest:
                news.append((item, digest))
                is_again = is_again or before is not None
        return news, is_again

    async def _changed(self, news: Sequence[Digested]) -> list[Digested]:
        """Records whose bytes differ from the last read by the API; the others are not even parsed."""
        ids = [item.record_id for item, _ in news if item.record_id is not None]
        if not ids:
            return list(news)
        async with self._context.pool.connection() as conn:
            known = await bookings.digests(conn, self._company_id, ids)
        return [
            (item, digest)
            for item, digest in news
            if item.record_id is None or known.get(item.record_id) != digest
        ]

    def _observation(self, record: Record, number: int, digest: str) -> Observation:
        return Observation(
            source=Source.PAGE,
            company_id=self._company_id,
            record_id=record.record_id,
            record=record,
            number=number,
            run_id=self._run_id,
            shown=Shown(digest, self._zone_rules),
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

    def _remember(self, record_id: int | None, digest: str) -> str | None:
        """Remember a record by its digest; return the one that this run saw of it before, None where it saw none."""
        key = digest if record_id is None else record_id
        before = self._seen.pop(key, None)
        self._seen[key] = digest
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        return before


class _Pages:
    """Requests the next page while the ones before it are written; cancels an unneeded request at the end."""

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


class _Writes:
    """Takes two pages at once, the one decided here while PostgreSQL writes the other, and counts them in their order.

    The second begins as soon as the first has its cards: with a later page's number on a card that both bring, the records
    of the earlier page would be compared with theirs in every run to come.
    """

    def __init__(self, count: Callable[[Counts, int | None], Awaitable[None]]) -> None:
        self._count = count
        self._last: _Write | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A write that nobody waits for would outlive the run, which is to hear of what ended the reading.
        with suppress(Exception) if kind else nullcontext():
            await self.end()

    async def begin(
        self, write: Callable[[Callable[[], None]], Coroutine[Any, Any, Counts]], total: int | None
    ) -> None:
        """Begin to write a page, then wait for the one before it. `total`: what it is counted with."""
        before = self._last
        if before is not None:
            await before.cards_held.wait()
        cards_held = asyncio.Event()
        last = asyncio.ensure_future(write(cards_held.set))
        last.add_done_callback(lambda _: cards_held.set())
        self._last = _Write(last, cards_held, total)
        await self._counted(before)

    async def end(self) -> None:
        """Wait for the page that is being written."""
        last, self._last = self._last, None
        await self._counted(last)

    async def _counted(self, write: "_Write | None") -> None:
        if write is not None:
            await self._count(await write.task, write.total)


@dataclass(frozen=True, slots=True)
class _Write:
    """A page that is being written; `cards_held`: whether it has its cards."""

    task: asyncio.Task[Counts]
    cards_held: asyncio.Event
    total: int | None
