"""`/admin/users/{id}/edit`: staff correct a client's name and contacts, and write a note."""

from collections.abc import Mapping

from starlette.responses import Response

from zerkalo.kit.problem import ProblemError
from zerkalo.users.desk.rules import is_same, profile_of, texts_of
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
    """Show what is stored, and over it what was typed; with it, for the next answer, what was there before."""
    user = await existing_user(page)
    stored = texts_of(profile_of(user))
    was = _edited(page, stored) if page.request.method == "POST" else {}
    typed = {name: page.form.text(name) for name in was}
    if problem is not None and problem.code == "profile_changed":
        errors = {
            name: page.say(
                f"Теперь в аккаунте: {stored[name] or '—'}", f"Now in the account: {stored[name] or '—'}"
            )
            for name in was
            if not is_same(was[name], stored[name]) and not is_same(typed[name], stored[name])
        }
        was = {}  # it is said: whoever saves again means it
    return render(
        page,
        "admin/user_edit.html",
        user=user,
        typed={**stored, **typed},
        was={**stored, **was},
        note_chars_max=TEXT_CHARS_MAX,
        errors=errors,
        problem=problem,
        at={"email_taken": "email", "email_needed": "email", "phone_taken": "phone"},
        here=f"/admin/users/{user.id}/edit",
    )


def _edited(page: Page, stored: Mapping[str, str]) -> dict[str, str]:
    """Of the fields that were edited, what the form had shown; one that does not say showed what is stored."""
    was = {
        name: page.form.raw(f"was_{name}") if page.form.all(f"was_{name}") else stored[name]
        for name in stored
    }
    return {name: text for name, text in was.items() if not is_same(page.form.raw(name), text)}


@pages.get(_HERE, Who.RECEPTION)
async def show_edit(page: Page) -> Response:
    """Show the form."""
    return await _edit_page(page)


@pages.post(_HERE, Who.RECEPTION, again=_edit_page)
async def edit(page: Page) -> Response:
    """Save what was edited; what was only shown stays as it is by now."""
    user, fields = await existing_user(page), page.fields()
    was = _edited(page, texts_of(profile_of(user)))
    email = fields.email(required=False) if "email" in was else None
    phone = fields.phone() if "phone" in was else None
    if {"email", "phone"} & was.keys() and not page.form.text("email") and not page.form.text("phone"):
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
        was=was,
    )
    return page.redirect(f"/admin/users/{user.id}", flash="profile_saved")
