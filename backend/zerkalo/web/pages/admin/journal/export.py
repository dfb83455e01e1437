"""`/admin/bookings.csv` and `.xlsx`: all that the journal finds for the same query, as a file."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO, TypeVar

from starlette.responses import Response, StreamingResponse

from zerkalo.auth.audit.service import audit
from zerkalo.bookings.journal import store
from zerkalo.bookings.journal.model import JournalBooking
from zerkalo.db.transaction import in_transaction
from zerkalo.web.pages.admin.journal.asked import Asked, read_asked
from zerkalo.web.pages.admin.journal.sheet import Cell, Sheet, cells_of, csv_head, csv_lines
from zerkalo.web.pages.page import NO_STORE, Page
from zerkalo.web.pages.routing import Pages, Who
from zerkalo.web.pages.wording import Words

T = TypeVar("T")

pages = Pages()

ROWS_MAX = 1_000_000
"""About as many as one sheet of an XLSX holds; the file of a longer journal ends there, and says so."""
ROWS_AT_ONCE = 1000
PIECE_BYTES = 64 * 1024
ENDS_HERE: Words = {
    "ru": "Здесь файл обрывается: в нём не больше миллиона строк. Возьмите журнал по частям, например по неделям.",
    "en": "The file ends here: it holds a million rows at most. Take the journal in parts, by weeks for example.",
}
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pages.get("/admin/bookings.csv", Who.OWNER)
async def as_csv(page: Page) -> Response:
    """Send the journal as CSV, while it is read."""
    asked = read_asked(page)
    await _note(page, "csv")
    return _file(page, _csv(page, asked), CSV, "csv")


@pages.get("/admin/bookings.xlsx", Who.OWNER)
async def as_xlsx(page: Page) -> Response:
    """Send the journal as XLSX, written to an unnamed temporary file first."""
    asked = read_asked(page)
    await _note(page, "xlsx")
    with ExitStack() as unless_sent:
        file = unless_sent.enter_context(TemporaryFile())
        sheet = Sheet(file, page.language)
        async for rows in _rows(page, asked):
            await asyncio.to_thread(sheet.add, rows)
        await asyncio.to_thread(sheet.close)
        # Sending the file closes it.
        unless_sent.pop_all()
    return _file(page, _pieces(file), XLSX, "xlsx")


async def _rows(page: Page, asked: Asked) -> AsyncIterator[Sequence[Sequence[Cell]]]:
    async for found in up_to(ROWS_MAX, _batches(page, asked)):
        yield [
            [ENDS_HERE[page.language]] if one is None else cells_of(one, page.language, page.branch)
            for one in found
        ]


async def _batches(page: Page, asked: Asked) -> AsyncIterator[Sequence[JournalBooking]]:
    """Read the bookings in batches, each on a connection of its own, so that a slow client holds none."""
    after = None
    while True:
        async with page.runtime.pool.connection() as conn:
            found = await store.read_journal(conn, asked.filters, after=after, limit=ROWS_AT_ONCE)
        if not found:
            return
        yield found
        after = (found[-1].appointment_datetime, found[-1].id)


async def up_to(count_max: int, batches: AsyncIterator[Sequence[T]]) -> AsyncIterator[Sequence[T | None]]:
    """Yield the batches until `count_max` items came, and a last None where there are more."""
    left = count_max
    async for batch in batches:
        if len(batch) > left:
            yield [*batch[:left], None]
            return
        yield batch
        left -= len(batch)


async def _csv(page: Page, asked: Asked) -> AsyncIterator[str]:
    yield csv_head(page.language)
    async for rows in _rows(page, asked):
        yield csv_lines(rows, page.language)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece


def _file(
    page: Page, body: AsyncIterator[str] | AsyncIterator[bytes], media_type: str, ending: str
) -> Response:
    headers = {
        "Cache-Control": NO_STORE,
        "Content-Disposition": f'attachment; filename="journal-{page.today.isoformat()}.{ending}"',
    }
    return page.finish(StreamingResponse(body, media_type=media_type, headers=headers))


async def _note(page: Page, form: str) -> None:
    """Write to the staff's log who exported the journal: it holds the salon's clients."""
    admin_id, now = page.me.id, page.now
    await in_transaction(
        page.runtime.pool,
        lambda conn: audit(conn, admin_id, "journal.export", "journal", {"form": form}, now),
    )
