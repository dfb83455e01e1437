"""`/join`: opening an invitation. Staff sign in first; a client added by the desk sets a password and is signed in."""

from urllib.parse import urlencode

from starlette.responses import Response

from zerkalo.kit.problem import ProblemError
from zerkalo.users import store as users
from zerkalo.users.staff import service
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.admin.words import ROLES
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

TOKEN_CHARS_MAX = 64


def _token(page: Page) -> str:
    return page.form.text("code", TOKEN_CHARS_MAX)


async def _join_page(
    page: Page, problem: ProblemError | None = None, *, errors: dict[str, str] | None = None
) -> Response:
    token = _token(page)
    invitation = await service.look_at_invitation(page.runtime.pool, token, now=page.now)
    async with page.runtime.pool.connection() as conn:
        user = await users.read_user(conn, invitation.user_id) if invitation.user_id is not None else None
    here = f"/join?{urlencode({'code': token})}"
    return page.render(
        "staff/join.html",
        invitation=invitation,
        role=ROLES[invitation.role][page.language] if invitation.role else "",
        has_email=user is not None and user.email is not None,
        code=token,
        sign_in=page.sign_in_url(here),
        sign_up=f"/me/sign-up?{urlencode({'next': here})}",
        typed={"email": page.form.text("email")},
        errors=errors,
        problem=problem,
        at={"no_email": "email"},
    )


@pages.post("/admin/users/{user_id}/invite", Who.RECEPTION)
async def invite_client(page: Page) -> Response:
    """Invite a client to the account that the desk made: by a message, else by a link shown here once."""
    user_id = page.id("user_id")
    link = await service.invite_client(
        page.runtime.people, user_id, by=page.me.id, language=page.language, now=page.now
    )
    return render(page, "staff/invited.html", user_id=user_id, link=link)


@pages.get("/join", Who.ANYBODY)
async def show_join(page: Page) -> Response:
    """Show what the invitation is for."""
    return await _join_page(page)


@pages.post("/join/staff", Who.USER, again=_join_page)
async def join_staff(page: Page) -> Response:
    """Accept the role."""
    await service.join_staff(page.runtime.people, _token(page), user_id=page.me.id, now=page.now)
    return page.redirect("/admin", flash="joined")


@pages.post("/join/account", Who.ANYBODY, again=_join_page)
async def join_account(page: Page) -> Response:
    """Set the password of an account that the desk made, and sign in."""
    fields = page.fields()
    password = fields.new_password()
    email = fields.email() if page.form.text("email") else None
    if fields.errors:
        return await _join_page(page, errors=fields.errors)
    pair = await service.join_account(
        page.runtime.people,
        _token(page),
        email=email,
        password=password,
        address=page.address,
        now=page.now,
    )
    page.sign_in(pair.refresh_token)
    return page.redirect("/me", flash="account_joined")
