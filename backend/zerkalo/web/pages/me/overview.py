"""`/me`: one's own visits, code, points and contacts, on one page; and the code as a picture."""

from io import BytesIO

import segno
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.bookings import reading
from zerkalo.db.pool import Connection
from zerkalo.kit.cursor import CURSOR_CHARS_MAX, decode_cursor, encode_cursor
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty import store as ledger
from zerkalo.loyalty.model import Entry, Kind, Reason
from zerkalo.outbox.model import Channel
from zerkalo.users import store as users
from zerkalo.users.model import User
from zerkalo.web.pages.site import NO_STORE, Page, Site
from zerkalo.web.pages.wording import Words

UPCOMING_MAX = 10
PAST_SHOWN = 3
POINTS_PAGE = 30
_POINTS_MODE = "points page"

_REASONS: dict[str, Words] = {
    Reason.COMPLETED: {"ru": "За визит", "en": "For a visit"},
    Reason.PRICE_CHANGED: {"ru": "Цена визита изменилась", "en": "The visit's price has changed"},
    Reason.NOT_EARNED: {"ru": "Визит не состоялся", "en": "The visit did not take place"},
    Reason.OTHER_USER: {"ru": "Визит другого человека", "en": "Somebody else's visit"},
    Reason.EXPIRED: {"ru": "Срок баллов истёк", "en": "The points have expired"},
    Reason.EXPIRED_NOT_EARNED: {"ru": "Поправка сгоревших баллов", "en": "Expired points, corrected"},
    Reason.MERGED: {"ru": "Аккаунты объединены", "en": "Accounts were merged"},
}
_KINDS: dict[Kind, Words] = {
    Kind.ACCRUAL: {"ru": "Начисление", "en": "Earned"},
    Kind.REVERSAL: {"ru": "Отмена начисления", "en": "Taken back"},
    Kind.ADJUSTMENT: {"ru": "Поправка", "en": "Adjustment"},
    Kind.REDEMPTION: {"ru": "Списание", "en": "Spent"},
    Kind.EXPIRY: {"ru": "Сгорание", "en": "Expiry"},
}


def routes(site: Site) -> list[Route]:
    """`/me`, `/me/code.svg`, `/me/points`."""
    runtime = site.runtime

    async def me(request: Request) -> Response:
        page = await site.page(request)
        user_id = page.require_user().id
        now = runtime.clock()
        async with runtime.pool.connection() as conn:
            upcoming = await reading.read_upcoming(
                conn, user_id, now=now, status=None, after=None, limit=UPCOMING_MAX + 1
            )
            # Behind this position in the newest-first order stands what began before now.
            past = await reading.read_newest_first(
                conn, user_id, status=None, after=(now, 0), limit=PAST_SHOWN
            )
            balance = await loyalty.balance(conn, user_id)
            user = await read_account(conn, user_id)
        return page.render(
            "me/me.html",
            user=user,
            upcoming=upcoming[:UPCOMING_MAX],
            more_upcoming=len(upcoming) > UPCOMING_MAX,
            past=past,
            balance=balance,
            has_loyalty=runtime.settings.loyalty_enabled or balance != 0,
            to_prove=channels_to_prove(site, user),
        )

    async def code_picture(request: Request) -> Response:
        """A picture of its own, since the policy allows no drawing inside the page's text to style itself."""
        page = await site.page(request)
        user_id = page.require_user().id
        async with runtime.pool.connection() as conn:
            user = await read_account(conn, user_id)
        if user.unique_code is None:
            raise ProblemError(404, "not_found", "There is no code yet.")
        svg = BytesIO()
        segno.make(user.unique_code, error="m", micro=False).save(
            svg, kind="svg", scale=8, border=2, xmldecl=False, svgclass=None, lineclass=None
        )
        return Response(svg.getvalue(), media_type="image/svg+xml", headers={"Cache-Control": NO_STORE})

    async def points(request: Request) -> Response:
        page = await site.page(request)
        user_id = page.require_user().id
        cursor = page.query().text("cursor", CURSOR_CHARS_MAX)
        before_id = int(str(decode_cursor(cursor, _POINTS_MODE, int)[0])) if cursor else None
        async with runtime.pool.connection() as conn:
            entries = await ledger.read_entries(conn, user_id, before_id, POINTS_PAGE + 1)
            balance = await loyalty.balance(conn, user_id)
        more = (
            encode_cursor(_POINTS_MODE, entries[POINTS_PAGE - 1].id) if len(entries) > POINTS_PAGE else None
        )
        return page.render(
            "me/points.html",
            balance=balance,
            entries=[(entry, *entry_words(page, entry)) for entry in entries[:POINTS_PAGE]],
            next_url=f"/me/points?cursor={more}" if more else None,
        )

    return [
        Route("/me", me),
        Route("/me/code.svg", code_picture),
        Route("/me/points", points),
    ]


async def read_account(conn: Connection, user_id: int) -> User:
    """The account of who is signed in. Raises 401 where it was erased at this very moment."""
    user = await users.read_user(conn, user_id)
    if user is None or user.erased_at is not None:
        raise ProblemError(401, "not_signed_in", "Sign in first.")
    return user


def channels_to_prove(site: Site, user: User) -> list[Channel]:
    """Contacts that she only claims yet, and to which a code can be sent."""
    return [
        channel
        for channel in Channel
        if channel in site.runtime.people.ports.open_channels
        and user.contact(channel) is not None
        and user.verified_at(channel) is None
    ]


def entry_words(page: Page, entry: Entry) -> tuple[str, str]:
    """What a movement of points is and why, in the language of the page; a reason by hand as it was written."""
    words = _REASONS.get(entry.reason)
    return _KINDS[entry.kind][page.language], words[page.language] if words else entry.reason
