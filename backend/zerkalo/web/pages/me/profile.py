"""`/me/profile…`: contacts, the password, the calendar's address, the user's data."""

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
from zerkalo.users.passwords import service as passwords
from zerkalo.users.proving import service as proof_service
from zerkalo.web.pages.me.overview import channels_to_prove, read_account
from zerkalo.web.pages.me.proof import CODE_CHARS_MAX
from zerkalo.web.pages.page import NO_STORE, Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

PROFILE, ERASE = "/me/profile", "/me/erase"
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
        has_password=user.has_password,
        can_set_password=user.email_verified_at is not None,
        typed={name: page.form.text(name) for name in _FIELDS} if is_typed else kept,
        contacts=_contacts_of(user),
        calendar_at=calendar_at.astimezone(page.site.salon.zone) if calendar_at else None,
        to_prove=channels_to_prove(page, user),
        errors=errors,
        problem=problem,
        at=dict.fromkeys(("wrong_password", "password_required"), "password" if is_typed else "old_password")
        | {"wrong_code": "code", "code_required": "code"},
    )


def _contacts_of(user: User) -> list[tuple[Channel, str, bool]]:
    """Return the user's contacts, and whether each is proved."""
    found = [(channel, user.contact(channel), user.verified_at(channel) is not None) for channel in Channel]
    return [(channel, contact, is_proved) for channel, contact, is_proved in found if contact]


@pages.get(PROFILE, Who.USER)
async def show(page: Page) -> Response:
    """Show the user's account."""
    return await _profile_page(page)


@pages.post(PROFILE, Who.USER, again=_profile_page)
async def change(page: Page) -> Response:
    """Change name and contacts; a changed contact has to be proved anew."""
    fields, people = page.fields(), page.runtime.people
    async with page.runtime.pool.connection() as conn:
        has_email = (await read_account(conn, page.me.id)).email is not None
    email, phone, name = fields.email(required=has_email), fields.phone(), fields.name()
    if fields.errors:
        return await _profile_page(page, errors=fields.errors)

    def as_typed(_: User) -> tuple[str | None, str | None, str]:
        return email, phone, name

    is_confirmed = await _is_confirmed(page)
    await service.change_profile(
        people,
        page.me.id,
        change=as_typed,
        is_confirmed=is_confirmed,
        language=page.language,
        now=page.now,
    )
    return page.redirect(PROFILE, flash="profile_saved")


async def _is_confirmed(page: Page) -> bool:
    """Check that the form carries the account's password or, where it has none, a fresh code."""
    return await proof_service.confirm_owner(
        page.runtime.people,
        page.me.id,
        password=page.form.raw("password")[:PASSWORD_CHARS_MAX] or None,
        code=page.form.text("code", CODE_CHARS_MAX) or None,
        address=page.address,
        now=page.now,
    )


@pages.post(f"{PROFILE}/code", Who.USER, again=_profile_page)
async def send_confirming_code(page: Page) -> Response:
    """Send a code to a proved contact, for accounts without a password to confirm by."""
    async with page.runtime.pool.connection() as conn:
        user = await read_account(conn, page.me.id)
    proved = [channel for channel in Channel if user.verified_at(channel) is not None]
    open_ones = [channel for channel in proved if channel in page.runtime.people.ports.open_channels]
    await proof_service.request_verification(
        page.runtime.people,
        user.id,
        next(iter(open_ones or proved), Channel.EMAIL),
        language=page.language,
        address=page.address,
        now=page.now,
    )
    path = ERASE if page.form.text("to") == "erase" else PROFILE
    return page.redirect(path, flash="code_sent")


@pages.post(f"{PROFILE}/password", Who.USER, again=_profile_page)
async def change_password(page: Page) -> Response:
    """Change the password, given the old one; other devices are signed out."""
    fields = page.fields()
    old, new = fields.password("old_password"), fields.new_password("new_password")
    if fields.errors:
        return await _profile_page(page, errors=fields.errors)
    pair = await passwords.change_password(
        page.runtime.people, page.signed_in, old=old, new=new, address=page.address, now=page.now
    )
    page.sign_in(pair.refresh_token)
    return page.redirect(PROFILE, flash="password_changed")


@pages.post("/me/calendar", Who.USER)
async def make_calendar(page: Page) -> Response:
    """Show a new calendar address, once, in this answer: only its hash is stored."""
    async with page.runtime.pool.connection() as conn:
        token = await calendars.make_calendar_token(conn, page.me.id, now=page.now)
    public_url = page.runtime.settings.public_url.rstrip("/")
    url = f"{public_url}/api/v1/booking/calendar.ics?token={token}"
    return page.render("me/calendar.html", url=url, webcal=f"webcal://{url.partition('://')[2]}")


@pages.post("/me/calendar/revoke", Who.USER)
async def revoke_calendar(page: Page) -> Response:
    """Revoke the calendar's address."""
    async with page.runtime.pool.connection() as conn:
        await calendars.revoke_calendar_token(conn, page.me.id)
    return page.redirect(PROFILE, flash="calendar_revoked")


@pages.get("/me/export", Who.USER)
async def export(page: Page) -> Response:
    """Send all that is stored about this person, as a file."""
    async with page.runtime.pool.connection() as conn:
        own = await read_account(conn, page.me.id)
        email_counts_alone = page.runtime.people.email_counts_alone
        exported = await export_user(conn, own, email_counts_alone=email_counts_alone)
    body = msgspec.json.format(msgspec.json.encode(exported, enc_hook=str), indent=2)
    headers = {"Content-Disposition": 'attachment; filename="zerkalo.json"', "Cache-Control": NO_STORE}
    return page.finish(Response(body, media_type="application/json", headers=headers))


async def _erase_page(
    page: Page, problem: ProblemError | None = None, *, errors: dict[str, str] | None = None
) -> Response:
    async with page.runtime.pool.connection() as conn:
        user = await read_account(conn, page.me.id)
    return page.render(
        "me/erase.html",
        has_password=user.has_password,
        sure=page.form.text("sure", 1),
        errors=errors,
        problem=problem,
        at={"wrong_password": "password", "wrong_code": "code", "code_required": "code"}
        | {"password_required": "password"},
    )


@pages.get(ERASE, Who.USER)
async def show_erase(page: Page) -> Response:
    """Ask whether to erase everything."""
    return await _erase_page(page)


@pages.post(ERASE, Who.USER, again=_erase_page)
async def erase(page: Page) -> Response:
    """Erase the account, confirmed by its password or a fresh code."""
    people, fields = page.runtime.people, page.fields()
    if not page.form.text("sure", 1):
        fields.refuse("sure", "Отметьте, если вы уверены.", "Tick this if you are sure.")
        return await _erase_page(page, errors=fields.errors)
    if not await _is_confirmed(page):
        async with page.runtime.pool.connection() as conn:
            raise service.not_confirmed(await read_account(conn, page.me.id))
    await erase_service.erase_oneself(people, page.me.id, now=page.now)
    page.sign_out()
    return page.redirect("/", flash="erased")
