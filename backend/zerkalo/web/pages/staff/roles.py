"""`/admin/staff`: who has which role; granting, revoking, inviting. For owners, confirmed by their password."""

from starlette.responses import Response

from zerkalo.auth.model import Role
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users.passwords.service import confirm_password
from zerkalo.users.staff import service, store
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

_HERE = "/admin/staff"


async def _staff_page(
    page: Page,
    problem: ProblemError | None = None,
    *,
    errors: dict[str, str] | None = None,
    link: str | None = None,
) -> Response:
    async with page.runtime.pool.connection() as conn:
        staff = await store.read_staff(conn)
        invitations = await store.open_invitations(conn, now=page.now)
    return render(
        page,
        "staff/roles.html",
        staff=staff,
        invitations=invitations,
        roles=list(Role),
        can_mail=Channel.EMAIL in page.runtime.people.ports.open_channels,
        typed={name: page.form.text(name) for name in ("email", "role", "user_id")},
        is_inviting=page.request.url.path.endswith("/invite"),
        link=link,
        errors=errors,
        problem=problem,
        at={"wrong_password": "password"},
    )


@pages.get(_HERE, Who.OWNER)
async def staff(page: Page) -> Response:
    """Show everybody with a role, and the unused invitations."""
    return await _staff_page(page)


@pages.post(f"{_HERE}/role", Who.OWNER, again=_staff_page)
async def give_role(page: Page) -> Response:
    """Grant or revoke a role."""
    await _confirm(page)
    role = _role(page)
    if role is None and page.form.text("role") != "none":
        raise ProblemError(422, "invalid_request", "There is no such role.")
    await service.give_role(
        page.runtime.people, page.form.number("user_id") or 0, role, by=page.me.id, now=page.now
    )
    return page.redirect(_HERE, flash="role_given")


@pages.post(f"{_HERE}/invite", Who.OWNER, again=_staff_page)
async def invite(page: Page) -> Response:
    """Make an invitation link and show it once, in this answer: only its hash is stored."""
    role, fields = _role(page), page.fields()
    email = fields.email() if page.form.text("email") else None
    if role is None:
        fields.refuse("role", "Выберите роль.", "Choose a role.")
    if role is None or fields.errors:
        return await _staff_page(page, errors=fields.errors)
    await _confirm(page)
    link = await service.invite_staff(
        page.runtime.people, role, email=email, by=page.me.id, language=page.language, now=page.now
    )
    return await _staff_page(page, link=link)


@pages.post(f"{_HERE}/revoke", Who.OWNER)
async def revoke(page: Page) -> Response:
    """Revoke an invitation."""
    await service.revoke_invitation(
        page.runtime.people, page.form.number("invitation_id") or 0, by=page.me.id, now=page.now
    )
    return page.redirect(_HERE, flash="invitation_revoked")


def _role(page: Page) -> Role | None:
    name = page.form.text("role", 20)
    return Role(name) if name in [*Role] else None


async def _confirm(page: Page) -> None:
    password = page.fields().password()
    await confirm_password(page.runtime.people, page.me.id, password, address=page.address, now=page.now)
