"""`/me/notices`: how a user wants to be notified, and connecting Telegram by a one-time link."""

from starlette.responses import Response

from zerkalo.kit.problem import ProblemError
from zerkalo.notices import store
from zerkalo.notices.model import Reach
from zerkalo.notices.telegram.service import new_link
from zerkalo.outbox.gateways.service import bot_of
from zerkalo.outbox.model import Channel
from zerkalo.users import store as users
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

_HERE = "/me/notices"


async def _notices_page(
    page: Page, problem: ProblemError | None = None, *, link: str | None = None
) -> Response:
    settings = page.runtime.settings
    async with page.runtime.pool.connection() as conn:
        reach = (await store.reach_of(conn, [page.me.id])).get(page.me.id)
    return page.render(
        "me/notices.html",
        reach=reach or Reach(page.me.id, None, None, None, by_email=True, by_phone=False, by_telegram=True),
        open_channels=page.runtime.people.ports.open_channels,
        has_bot=settings.telegram_bot_token is not None,
        is_on=bool(settings.notices) or settings.remind_hours_before is not None,
        link=link,
        problem=problem,
        channels=Channel,
    )


@pages.get(_HERE, Who.USER)
async def show(page: Page) -> Response:
    """Show the choices."""
    return await _notices_page(page)


@pages.post(_HERE, Who.USER, again=_notices_page)
async def choose(page: Page) -> Response:
    """Save the choices."""
    ticked = {name: page.form.text(name, 1) == "1" for name in ("by_email", "by_phone", "by_telegram")}
    language = page.form.text("language", 2)
    async with page.runtime.pool.connection() as conn:
        await store.write_choices(conn, page.me.id, **ticked)
        if language == "ru" or language == "en":  # noqa: PLR1714 - narrows the type
            await users.write_language(conn, page.me.id, language, now=page.now)
    return page.redirect(_HERE, flash="profile_saved")


@pages.post(f"{_HERE}/telegram", Who.USER, again=_notices_page)
async def connect(page: Page) -> Response:
    """Show a link to the bot, once, in this answer."""
    bot = bot_of(page.runtime.settings)
    if bot is None:
        raise ProblemError(404, "not_found", "There is no bot.")
    return await _notices_page(page, link=await new_link(page.runtime.pool, bot, page.me.id, now=page.now))


@pages.post(f"{_HERE}/telegram/end", Who.USER)
async def disconnect(page: Page) -> Response:
    """Disconnect the Telegram chat."""
    async with page.runtime.pool.connection() as conn:
        await store.disconnect_chat(conn, page.me.id)
    return page.redirect(_HERE, flash="profile_saved")
