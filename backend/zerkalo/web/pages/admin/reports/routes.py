"""`/admin/reports` and `/admin/reports.csv`: the figures of a period beside those of the period before."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from starlette.responses import Response

from zerkalo.auth.audit.service import audit
from zerkalo.db.transaction import in_transaction
from zerkalo.reports.model import Group, Period, Report
from zerkalo.reports.rules import NAMES, bounded_period, named_period
from zerkalo.web.pages.admin.journal.sheet import Cell, csv_lines
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.admin.reports import words
from zerkalo.web.pages.admin.reports.rows import (
    MONEY,
    ROWS_MAX,
    figures_of,
    group_cells,
    part_of,
    steps_of,
    title_of,
)
from zerkalo.web.pages.book.days import read_day
from zerkalo.web.pages.page import NO_STORE, Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

CSV = "text/csv; charset=utf-8"
BYTE_ORDER_MARK = "\ufeff"
GROUP_HEADS = (
    words.FIGURES["visits"],
    words.FIGURES["revenue"],
    words.FIGURES["average"],
    words.FIGURES["no_shows"],
    words.FIGURES["cancellations"],
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The period and the branch in an address; `name`: that of a named period."""

    period: Period
    company_id: int | None
    name: str

    def url(self, path: str) -> str:
        """Return an address with the same query."""
        days = {"from": self.period.first.isoformat(), "to": self.period.last.isoformat()}
        fields = {"period": self.name} if self.name else days
        return f"{path}?{urlencode(fields | ({'company': str(self.company_id)} if self.company_id else {}))}"


@pages.get("/admin/reports", Who.OWNER)
async def reports(page: Page) -> Response:
    """Show the figures with definitions, charts, and tables by specialist, service, branch, weekday and hour."""
    asked = _asked(page)
    report = await _report(page, asked)
    step_days, steps = steps_of(report.days)

    def title(kind: str, one: Group) -> str:
        return title_of(kind, one, page.language, _branch(page, one.key))

    return render(
        page,
        "admin/reports.html",
        asked=asked,
        report=report,
        figures=figures_of(report),
        money_names=MONEY,
        said=words,
        group_heads=GROUP_HEADS,
        title_of=title,
        part_of=part_of,
        step_days=step_days,
        steps=steps,
        names=NAMES,
        rows_max=ROWS_MAX,
        csv_url=asked.url("/admin/reports.csv"),
    )


@pages.get("/admin/reports.csv", Who.OWNER)
async def as_csv(page: Page) -> Response:
    """Send the same as CSV, with an entry in the staff's log."""
    asked = _asked(page)
    report = await _report(page, asked)
    admin_id, now = page.me.id, page.now
    await in_transaction(
        page.runtime.pool, lambda conn: audit(conn, admin_id, "report.export", "report", {"form": "csv"}, now)
    )
    name = f"report-{asked.period.first.isoformat()}-{asked.period.last.isoformat()}.csv"
    headers = {"Cache-Control": NO_STORE, "Content-Disposition": f'attachment; filename="{name}"'}
    body = BYTE_ORDER_MARK + csv_lines(_lines(page, report), page.language)
    return page.finish(Response(body, media_type=CSV, headers=headers))


def _asked(page: Page) -> Asked:
    query = page.query
    company_id = query.number("company")
    if company_id not in page.runtime.settings.yclients_company_ids:
        company_id = None
    first, last = read_day(query.text("from", 20)), read_day(query.text("to", 20))
    name = query.text("period", 20)
    chosen = None if name in NAMES else bounded_period(first, last, page.today)
    if chosen is not None:
        return Asked(chosen, company_id, "")
    name = name if name in NAMES else "month"
    return Asked(named_period(name, page.today), company_id, name)


async def _report(page: Page, asked: Asked) -> Report:
    return await page.site.desk.report(asked.period, asked.company_id)


def _branch(page: Page, key: object) -> str:
    return page.branch(int(key)) if isinstance(key, str) and key.isdecimal() else ""


def _lines(page: Page, report: Report) -> Iterator[list[Cell]]:
    """Yield every figure, then every table, with a blank line between them."""
    language, (period, before) = page.language, (report.period, report.before)
    yield [page.say("С", "From"), period.first, before.first]
    yield [page.say("По", "To"), period.last, before.last]
    for figure in figures_of(report):
        title, definition = words.FIGURES[figure.name]
        is_money = figure.name in MONEY
        values = [_cell(value, is_money=is_money) for value in (figure.now, figure.before)]
        yield [title[language], *values, definition[language]]
    heads = [head[0][language] for head in GROUP_HEADS]
    was = page.say("до того", "before")
    for kind, groups in report.groups.items():
        yield []
        yield [words.GROUPS[kind][0][language], *heads, *(f"{head} ({was})" for head in heads)]
        for one in groups:
            title = title_of(kind, one, language, _branch(page, one.key))
            yield [title, *group_cells(one.now), *group_cells(one.before)]
    yield []
    yield [
        words.BY_HAND[0][language],
        *(words.FIGURES[name][0][language] for name in ("given", "taken_back", "spent")),
    ]
    for who in report.by_hand:
        yield [who.name, who.given, who.taken, who.spent]


def _cell(value: int | None, *, is_money: bool) -> Cell:
    return Decimal(value) / 100 if is_money and value is not None else value
