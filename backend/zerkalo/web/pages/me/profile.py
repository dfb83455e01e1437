"""`/me/profile…`: contacts, the password, the calendar's address, one's data."""

import msgspec
from starlette.responses import Response

from zerkalo.auth.rules import PASSWORD_CHARS_MAX
from zerkalo.bookings.calendar import store as calendars
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users import service
from zerkalo.users.erasing import service as erase_service
from zerkalo.users.exporting.service import export_user
from zerkalo.users.model import User
from zerkalo.users.proving import service as proof_service
from zerkalo.web.pages.me.overview import channels_to_prove, read_account
from zerkalo.web.pages.page import NO_STORE, Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

PROFILE = "/me/profile"
_FIELDS = ("email", "phone", "name")


async def _profile_page(
    page: Page, problem: ProblemError | None = None, *, errors: dict[str, str] | None = None
) -> Response:
    async with page.runtime.pool.connection() as conn:
        user = await read_account(conn, page.me.id)
        calendar_at = await calendars.calendar_made_at(conn, user.id)
    kept = {"email": user.email or "", "phone": user.phone or "", "name": user.name}
    is_typed = page.request.url.path == PROFILE and page.request.method == "POST"
    return page.render(
        "me/profile.html",
        email=user.email or "",
        typed={name: page.form.text(name) for name in _FIELDS} if is_typed else kept,
        contacts=_contacts_of(user),
        calendar_at=calendar_at.astimezone(page.site.salon.zone) if calendar_at else None,
        to_prove=channels_to_prove(page, user),
        errors=errors,
        problem=problem,
        at=dict.fromkeys(("wrong_password", "password_required"), "password" if is_typed else "old_password"),
    )


def _contacts_of(user: User) -> list[tuple[Channel, str, bool]]:
    """The contacts there are, and whether each is proved."""
    found = [(channel, user.contact(channel), user.verified_at(channel) is not None) for channel in Channel]
    return [(channel, contact, is_proved) for channel, contact, is_proved in found if contact]


@pages.get(PROFILE, Who.USER)
async def show(page: Page) -> Response:
    """One's own account."""
    return await _profile_page(page)


@pages.post(PROFILE, Who.USER, again=_profile_page)
async def change(page: Page) -> Response:
    """Change name and contacts; a changed contact has to be proved anew."""
    fields = page.fields()
    email, phone, name = fields.email(), fields.phone(), fields.name()
    if fields.errors or email is None:
        return await _profile_page(page, errors=fields.errors)

    def as_typed(_: User) -> tuple[str | None, str | None, str]:
        return email, phone, name

    people, password = page.runtime.people, page.form.raw("password")[:PASSWORD_CHARS_MAX]
    is_confirmed = await proof_service.confirm_owner(
        people, page.me.id, password=password or None, code=None, address=page.address, now=page.now
    )
    await service.change_profile(
        people,
        page.me.id,
        change=as_typed,
        is_confirmed=is_confirmed,
        language=page.language,
        now=page.now,
    )
    return page.redirect(PROFILE, flash="profile_saved")


@pages.post(f"{PROFILE}/password", Who.USER, again=_profile_page)
async def change_password(page: Page) -> Response:
    """A new password by the old one; other devices are signed out."""
    fields = page.fields()
    old, new = fields.password("old_password"), fields.new_password("new_password")
    if fields.errors:
        return await _profile_page(page, errors=fields.errors)
    pair = await service.change_password(
        page.runtime.people, page.signed_in, old=old, new=new, address=page.address, now=page.now
    )
    page.sign_in(pair.refresh_token)
    return page.redirect(PROFILE, flash="password_changed")


@pages.post("/me/calendar", Who.USER)
async def make_calendar(page: Page) -> Response:
    """The address is shown in this very answer, once: only its hash is kept."""
    async with page.runtime.pool.connection() as conn:
        token = await calendars.make_calendar_token(conn, page.me.id, now=page.now)
    public_url = page.runtime.settings.public_url.rstrip("/")
    url = f"{public_url}/api/v1/booking/calendar.ics?token={token}"
    return page.render("me/calendar.html", url=url, webcal=f"webcal://{url.partition('://')[2]}")


@pages.post("/me/calendar/revoke", Who.USER)
async def revoke_calendar(page: Page) -> Response:
    """Stop the calendar's address."""
    async with page.runtime.pool.connection() as conn:
        await calendars.revoke_calendar_token(conn, page.me.id)
    return page.redirect(PROFILE, flash="calendar_revoked")


@pages.get("/me/export", Who.USER)
async def export(page: Page) -> Response:
    """All that is held about this person, as a file."""
    async with page.runtime.pool.connection() as conn:
        exported = await export_user(conn, await read_account(conn, page.me.id))
    body = msgspec.json.format(msgspec.json.encode(exported, enc_hook=str), indent=2)
    headers = {"Content-Disposition": 'attachment; filename="zerkalo.json"', "Cache-Control": NO_STORE}
    return page.finish(Response(body, media_type="application/json", headers=headers))


async def _erase_page(
    page: Page, problem: ProblemError | None = None, *, errors: dict[str, str] | None = None
) -> Response:
    return page.render(
        "me/erase.html",
        sure=page.form.text("sure", 1),
        errors=errors,
        problem=problem,
        at={"wrong_password": "password"},
    )


@pages.get("/me/erase", Who.USER)
async def show_erase(page: Page) -> Response:
    """Ask whether everything is to be erased."""
    return await _erase_page(page)


@pages.post("/me/erase", Who.USER, again=_erase_page)
async def erase(page: Page) -> Response:
    """Erase the account, by its password."""
    people, fields = page.runtime.people, page.fields()
    if not page.form.text("sure", 1):
        fields.refuse("sure", "Отметьте, если вы уверены.", "Tick this if you are sure.")
        return await _erase_page(page, errors=fields.errors)
    await service.confirm_password(people, page.me.id, fields.password(), address=page.address, now=page.now)
    await erase_service.erase_oneself(people, page.me.id, now=page.now)
    page.sign_out()
    return page.redirect("/", flash="erased")
