"""The query in the journal's address: a day, a week or a list, and the filters, for the page and its links."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from zerkalo.bookings.journal.model import Filters
from zerkalo.bookings.journal.routes import SEARCH_CHARS_MAX
from zerkalo.bookings.journal.rules import read_search
from zerkalo.bookings.model import Status
from zerkalo.web.pages.admin.journal.rules import week_of
from zerkalo.web.pages.book.days import read_day
from zerkalo.web.pages.page import Page

JOURNAL = "/admin/bookings"
FILTERS = ("status", "staff", "company", "matched")
_FIELDS = ("view", "day", "from", "to", *FILTERS)


@dataclass(frozen=True, slots=True)
class Asked:
    """The query. `days`: the days shown, none for a list. `fields`: the address's fields, "" where absent, for its links."""

    fields: Mapping[str, str]
    q: str
    day: date
    days: Sequence[date]
    filters: Filters

    @property
    def is_week(self) -> bool:
        """Whether several days are shown."""
        return len(self.days) > 1

    def url(self, path: str = JOURNAL, **changed: str | None) -> str:
        """Return an address with the same query except for the given fields; "" or None leaves one out."""
        fields = {"q": self.q, **self.fields, **changed}
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"{path}?{query}" if query else path


def read_asked(page: Page) -> Asked:
    """Parse the query in the address of this page; invalid values are ignored."""
    query = page.query
    fields = {name: query.text(name, 40) for name in _FIELDS}
    q = query.text("q", SEARCH_CHARS_MAX)
    day = read_day(fields["day"]) or page.today
    first, last = read_day(fields["from"]), read_day(fields["to"])
    days = () if q or first or last else week_of(day) if fields["view"] == "week" else (day,)
    filters = Filters(
        first_day=days[0] if days else first,
        last_day=days[-1] if days else last,
        status=fields["status"] if fields["status"] in list(Status) else None,
        staff_id=query.number("staff"),
        company_id=query.number("company"),
        matched={"1": True, "0": False}.get(fields["matched"]),
        search=read_search(q),
    )
    return Asked(fields, q, day, days, filters)
