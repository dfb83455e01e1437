"""`/admin/users/{id}/edit`: staff correct a client's name and contacts, and write a note."""

from starlette.responses import Response

from zerkalo.kit.problem import ProblemError
from zerkalo.users.desk.service import edit_user
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.admin.users import existing_user
from zerkalo.web.pages.forms import TEXT_CHARS_MAX
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

_HERE = "/admin/users/{user_id}/edit"


async def _edit_page(
    page: Page, problem: ProblemError | None = None, *, errors: dict[str, str] | None = None
) -> Response:
    user = await existing_user(page)
    is_typed = page.request.method == "POST"
    stored = {"name": user.name, "email": user.email or "", "phone": user.phone or "", "note": user.note}
    return render(
        page,
        "admin/user_edit.html",
        user=user,
        typed={name: page.form.text(name) for name in stored} if is_typed else stored,
        note_chars_max=TEXT_CHARS_MAX,
        errors=errors,
        problem=problem,
        at={"email_taken": "email", "email_needed": "email", "phone_taken": "phone"},
        here=f"/admin/users/{user.id}/edit",
    )


@pages.get(_HERE, Who.RECEPTION)
async def show_edit(page: Page) -> Response:
    """Show the form."""
    return await _edit_page(page)


@pages.post(_HERE, Who.RECEPTION, again=_edit_page)
async def edit(page: Page) -> Response:
    """Save what was typed."""
    user, fields = await existing_user(page), page.fields()
    email = fields.email() if page.form.text("email") else None
    phone = fields.phone()
    if email is None and phone is None and not fields.errors:
        fields.refuse("email", "Нужен e-mail или телефон.", "An e-mail or a phone is needed.")
    if fields.errors:
        return await _edit_page(page, errors=fields.errors)
    await edit_user(
        page.runtime.people,
        user.id,
        email=email,
        phone=phone,
        name=fields.name(),
        note=page.form.text("note"),
        admin_id=page.me.id,
        language=page.language,
        now=page.now,
    )
    return page.redirect(f"/admin/users/{user.id}", flash="profile_saved")
