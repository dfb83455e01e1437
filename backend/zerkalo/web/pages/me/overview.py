"""`/me`: the user's visits, code, points and contacts on one page; and the code as a picture."""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

import segno
from starlette.responses import Response

from zerkalo.bookings.model import ShownBooking
from zerkalo.bookings.reading import store as reading
from zerkalo.db.pool import Connection
from zerkalo.kit.cursor import ById
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty import store as ledger
from zerkalo.loyalty.model import Kind, LedgerEntry, Reason
from zerkalo.loyalty.programme.service import next_burning
from zerkalo.outbox.model import Channel
from zerkalo.users import store as users
from zerkalo.users.model import User
from zerkalo.web.pages.me.worth import first_burning_in_words, programme_in_words
from zerkalo.web.pages.page import NO_STORE, Page
from zerkalo.web.pages.routing import Pages, Who
from zerkalo.web.pages.wording import Words, short_date

UPCOMING_MAX = 10
PAST_SHOWN = 3
POINTS_PAGE = 30
_POINTS = ById("points page")

_REASONS: dict[str, Words] = {
    Reason.COMPLETED: {"ru": "За визит", "en": "For a visit"},
    Reason.PRICE_CHANGED: {"ru": "Цена визита изменилась", "en": "The visit's price has changed"},
    Reason.NOT_EARNED: {"ru": "Визит не состоялся", "en": "The visit did not take place"},
    Reason.OTHER_USER: {"ru": "Визит другого человека", "en": "Somebody else's visit"},
    Reason.EXPIRED: {"ru": "Срок баллов истёк", "en": "The points have expired"},
    Reason.EXPIRED_NOT_EARNED: {"ru": "Поправка сгоревших баллов", "en": "Expired points, corrected"},
    Reason.TILL: {"ru": "На кассе", "en": "At the till"},
    Reason.UNDONE: {"ru": "Списание отменено", "en": "A spending was undone"},
    Reason.OPENING: {"ru": "Начальный остаток", "en": "Opening balance"},
    Reason.MERGED: {"ru": "Аккаунты объединены", "en": "Accounts were merged"},
    Reason.UNMERGED: {"ru": "Аккаунты снова разделены", "en": "Accounts were parted again"},
}
_KINDS: dict[Kind, Words] = {
    Kind.ACCRUAL: {"ru": "Начисление", "en": "Earned"},
    Kind.REVERSAL: {"ru": "Отмена начисления", "en": "Taken back"},
    Kind.ADJUSTMENT: {"ru": "Поправка", "en": "Adjustment"},
    Kind.REDEMPTION: {"ru": "Списание", "en": "Spent"},
    Kind.EXPIRY: {"ru": "Сгорание", "en": "Expiry"},
}

pages = Pages()


@pages.get("/me", Who.USER)
async def me(page: Page) -> Response:
    """Show the user's visits, code and points on one page."""
    runtime, user_id = page.runtime, page.me.id
    async with runtime.pool.connection() as conn:
        user = await read_account(conn, user_id)
        upcoming, past = await _visits_around_now(conn, user_id, page.now)
        balance = await loyalty.balance(conn, user_id)
        burning = await next_burning(conn, user_id, runtime.policy, page.site.salon.zone)
    return page.render(
        "me/me.html",
        user=user,
        upcoming=upcoming[:UPCOMING_MAX],
        more_upcoming=len(upcoming) > UPCOMING_MAX,
        past=past,
        balance=balance,
        programme=programme_in_words(runtime.policy, page.language),
        burning=first_burning_in_words(burning, page.language),
        has_loyalty=runtime.settings.loyalty_enabled or balance != 0,
        to_prove=channels_to_prove(page, user),
    )


async def _visits_around_now(
    conn: Connection, user_id: int, now: datetime
) -> tuple[list[ShownBooking], list[ShownBooking]]:
    """Read the next visits, one more than are shown, and the last ones."""
    upcoming = await reading.read_upcoming(
        conn, user_id, now=now, status=None, after=None, limit=UPCOMING_MAX + 1
    )
    # After this position in the newest-first order come the visits that began before now.
    past = await reading.read_newest_first(conn, user_id, status=None, after=(now, 0), limit=PAST_SHOWN)
    return upcoming, past


@pages.get("/me/code.svg", Who.USER)
async def code_picture(page: Page) -> Response:
    """Send the client code as a QR code: a file of its own, since our content security policy forbids inline styles."""
    async with page.runtime.pool.connection() as conn:
        user = await read_account(conn, page.me.id)
    if user.unique_code is None:
        raise ProblemError(404, "not_found", "There is no code yet.")
    svg = BytesIO()
    segno.make(user.unique_code, error="m", micro=False).save(
        svg, kind="svg", scale=8, border=2, xmldecl=False, svgclass=None, lineclass=None
    )
    headers = {"Cache-Control": NO_STORE}
    return page.finish(Response(svg.getvalue(), media_type="image/svg+xml", headers=headers))


@pages.get("/me/points", Who.USER)
async def points(page: Page) -> Response:
    """Show the user's ledger entries, newest first."""
    before_id = _POINTS.position(page.cursor)
    async with page.runtime.pool.connection() as conn:
        found = await ledger.read_entries(conn, page.me.id, before_id, POINTS_PAGE + 1)
        balance = await loyalty.balance(conn, page.me.id)
        burning = await next_burning(conn, page.me.id, page.runtime.policy, page.site.salon.zone)
        told = await told_entries(page, conn, found[:POINTS_PAGE], of=page.me.id)
    entries = _POINTS.page(found, POINTS_PAGE, lambda entry: entry.id)
    return page.render(
        "me/points.html",
        balance=balance,
        programme=programme_in_words(page.runtime.policy, page.language),
        burning=first_burning_in_words(burning, page.language),
        entries=told,
        next_url=f"/me/points?cursor={entries.next_cursor}" if entries.next_cursor else None,
    )


async def read_account(conn: Connection, user_id: int) -> User:
    """Read the signed-in user's account. Raises a 401 `ProblemError` where it has just been erased."""
    user = await users.read_user(conn, user_id)
    if user is None or user.erased_at is not None:
        raise ProblemError(401, "not_signed_in", "Sign in first.")
    return user


def channels_to_prove(page: Page, user: User) -> list[Channel]:
    """Return the contacts that are not proved yet and to which a code can be sent."""
    return [
        channel
        for channel in Channel
        if channel in page.runtime.people.ports.open_channels
        and user.contact(channel) is not None
        and user.verified_at(channel) is None
    ]


async def told_entries(
    page: Page, conn: Connection, entries: Sequence[LedgerEntry], *, of: int | None = None
) -> list[tuple[LedgerEntry, str, str]]:
    """Return ledger entries, each with its kind and reason in words, and the day and service of its visit.

    `of`: the user who reads them; a visit that is another's by now is not described. None: the staff.
    """
    ids = [entry.booking_id for entry in entries if entry.booking_id is not None]
    found = await reading.read_several(conn, ids)
    visits = {id_: visit for id_, visit in found.items() if of is None or visit.user_id == of}
    return [(entry, *_entry_words(page, entry, visits.get(entry.booking_id or 0))) for entry in entries]


def _entry_words(page: Page, entry: LedgerEntry, visit: ShownBooking | None) -> tuple[str, str]:
    """Return an entry's words in the language of the page; a reason written by hand is left as it is."""
    words = _REASONS.get(entry.reason)
    why = words[page.language] if words else entry.reason
    if visit is not None:
        parts = (why, short_date(visit.starts_at, page.language), visit.service_name)
        why = " · ".join(part for part in parts if part)
    return _KINDS[entry.kind][page.language], why
