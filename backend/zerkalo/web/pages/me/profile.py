"""`/me/profile…`: contacts and their proofs, the password, the calendar's address, one's data."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.bookings import reading
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users import service
from zerkalo.users.erasing import service as erase_service
from zerkalo.users.model import User
from zerkalo.users.proving import service as proof_service
from zerkalo.web.pages.fields import Fields
from zerkalo.web.pages.me.overview import channels_to_prove, read_account
from zerkalo.web.pages.site import NO_STORE, Page, Site

PROFILE = "/me/profile"


def routes(site: Site) -> list[Route]:
    """One's own account."""
    runtime = site.runtime
    people = runtime.people
    now = runtime.clock

    async def show(request: Request) -> Response:
        return await _profile_page(await site.page(request))

    async def change(request: Request) -> Response:
        page = await site.page(request)
        user_id = page.require_user().id
        form = await page.form()
        fields = Fields(page, form)
        email, phone, name = fields.email(), fields.phone(), fields.name()
        if fields.errors or email is None:
            typed = {field: form.text(field) for field in ("email", "phone", "name")}
            return await _profile_page(page, errors=fields.errors, typed=typed)

        def as_typed(_: User) -> tuple[str | None, str | None, str]:
            return email, phone, name

        await service.change_profile(people, user_id, change=as_typed, language=page.language, now=now())
        return page.redirect(PROFILE, flash="profile_saved")

    async def change_password(request: Request) -> Response:
        page = await site.page(request)
        session = page.require_session()
        fields = Fields(page, await page.form())
        old, new = fields.password("old_password"), fields.new_password("new_password")
        if fields.errors:
            return await _profile_page(page, errors=fields.errors)
        try:
            pair = await service.change_password(people, session, old=old, new=new, now=now())
        except ProblemError as error:
            if error.code == "wrong_password":
                wrong = {"old_password": page.problem(error)}
                return await _profile_page(page, errors=wrong, status=error.status)
            return await _profile_page(page, problem=error, place="password")
        page.sign_in(pair.refresh_token)
        return page.redirect(PROFILE, flash="password_changed")

    async def send_code(request: Request) -> Response:
        page = await site.page(request)
        user_id = page.require_user().id
        await page.form()
        channel = _channel(request)
        try:
            await proof_service.request_verification(
                people, user_id, channel, language=page.language, address=page.address, now=now()
            )
        except ProblemError as error:
            if error.code == "already_verified":
                return page.redirect("/me")
            return await _proof_page(page, channel, error)
        return page.redirect(f"/me/verify/{channel}")

    async def show_proof(request: Request) -> Response:
        return await _proof_page(await site.page(request), _channel(request))

    async def prove(request: Request) -> Response:
        page = await site.page(request)
        user_id = page.require_user().id
        code = (await page.form()).text("code", 20)
        channel = _channel(request)
        try:
            await proof_service.confirm_verification(people, user_id, channel, code, now=now())
        except ProblemError as error:
            return await _proof_page(page, channel, error, code=code)
        return page.redirect("/me", flash="proved")

    async def make_calendar(request: Request) -> Response:
        """The address is shown in this very answer, once: only its hash is kept."""
        page = await site.page(request)
        user_id = page.require_user().id
        await page.form()
        async with runtime.pool.connection() as conn:
            token = await reading.make_calendar_token(conn, user_id, now=now())
        url = f"{runtime.settings.public_url.rstrip('/')}/api/v1/booking/calendar.ics?token={token}"
        return page.render("me/calendar.html", url=url, webcal=f"webcal://{url.partition('://')[2]}")

    async def revoke_calendar(request: Request) -> Response:
        page = await site.page(request)
        user_id = page.require_user().id
        await page.form()
        async with runtime.pool.connection() as conn:
            await reading.revoke_calendar_token(conn, user_id)
        return page.redirect(PROFILE, flash="calendar_revoked")

    async def export(request: Request) -> Response:
        page = await site.page(request)
        user_id = page.require_user().id
        async with runtime.pool.connection() as conn:
            exported = await erase_service.export_user(conn, await read_account(conn, user_id))
        body = msgspec.json.format(msgspec.json.encode(exported, enc_hook=str), indent=2)
        headers = {
            "Content-Disposition": 'attachment; filename="zerkalo.json"',
            "Cache-Control": NO_STORE,
        }
        return Response(body, media_type="application/json", headers=headers)

    async def show_erase(request: Request) -> Response:
        page = await site.page(request)
        page.require_user()
        return page.render("me/erase.html", sure="", problem=None, errors={})

    async def erase(request: Request) -> Response:
        page = await site.page(request)
        user_id = page.require_user().id
        form = await page.form()
        fields, sure = Fields(page, form), form.text("sure", 1)
        if not sure:
            fields.refuse("sure", "Отметьте, если вы уверены.", "Tick this if you are sure.")
        if fields.errors:
            return page.render("me/erase.html", status=422, sure=sure, problem=None, errors=fields.errors)
        try:
            await service.confirm_password(people, user_id, fields.password(), now=now())
        except ProblemError as error:
            refusal = page.refusal(error, {"wrong_password": "password"})
            return page.render("me/erase.html", status=error.status, sure=sure, **refusal)
        await erase_service.erase_user(
            runtime.pool, user_id, settle_bookings=people.ports.settle_bookings, now=now()
        )
        page.sign_out()
        return page.redirect("/", flash="erased")

    async def _profile_page(
        page: Page,
        *,
        errors: dict[str, str] | None = None,
        typed: dict[str, str] | None = None,
        problem: ProblemError | None = None,
        place: str = "",
        status: int = 422,
    ) -> Response:
        """`status` is that of `errors`; a `problem` has its own."""
        user_id = page.require_user().id
        async with runtime.pool.connection() as conn:
            user = await read_account(conn, user_id)
            calendar_at = await reading.calendar_made_at(conn, user_id)
        kept = {"email": user.email or "", "phone": user.phone or "", "name": user.name}
        return page.render(
            "me/profile.html",
            status=problem.status if problem else status if errors else 200,
            email=user.email or "",
            typed=typed or kept,
            contacts=[
                (channel, user.contact(channel), user.verified_at(channel) is not None)
                for channel in Channel
                if user.contact(channel)
            ],
            calendar_at=calendar_at.astimezone(site.salon.zone) if calendar_at else None,
            to_prove=channels_to_prove(site, user),
            errors=errors or {},
            problems={place: page.problem(problem)} if problem else {},
        )

    async def _proof_page(
        page: Page, channel: Channel, problem: ProblemError | None = None, *, code: str = ""
    ) -> Response:
        user_id = page.require_user().id
        async with runtime.pool.connection() as conn:
            user = await read_account(conn, user_id)
        if user.contact(channel) is None or user.verified_at(channel) is not None:
            return page.redirect("/me")
        return page.render(
            "me/verify.html",
            status=problem.status if problem else 200,
            channel=channel,
            contact=user.contact(channel),
            code=code,
            **(page.refusal(problem, {"wrong_code": "code"}) if problem else {"problem": None, "errors": {}}),
        )

    return [
        Route(PROFILE, show),
        Route(PROFILE, change, methods=["POST"]),
        Route(f"{PROFILE}/password", change_password, methods=["POST"]),
        Route("/me/verify/{channel}/send", send_code, methods=["POST"]),
        Route("/me/verify/{channel}", show_proof),
        Route("/me/verify/{channel}", prove, methods=["POST"]),
        Route("/me/calendar", make_calendar, methods=["POST"]),
        Route("/me/calendar/revoke", revoke_calendar, methods=["POST"]),
        Route("/me/export", export),
        Route("/me/erase", show_erase),
        Route("/me/erase", erase, methods=["POST"]),
    ]


def _channel(request: Request) -> Channel:
    try:
        return Channel(request.path_params["channel"])
    except ValueError:
        raise ProblemError(404, "not_found", "There is no such contact.") from None
