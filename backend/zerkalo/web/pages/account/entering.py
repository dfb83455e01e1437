"""`/me/code`: signing in by a phone or an e-mail and the code sent there; creates an account for whoever has none."""

from starlette.responses import Response

from zerkalo.kit.problem import ProblemError
from zerkalo.users.entering import service as entering
from zerkalo.web.pages.account import takeover
from zerkalo.web.pages.account.session import contact_of, next_of, open_session, sign_in_page
from zerkalo.web.pages.me.proof import CODE_CHARS_MAX
from zerkalo.web.pages.page import SIGN_IN_PATH, Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

CODE = "/me/code"
_NO_SESSION = frozenset({"no_account", "account_exists"})
"""Problem codes that answer a correct code without signing anybody in."""


async def _code_page(
    page: Page, problem: ProblemError | None = None, *, errors: dict[str, str] | None = None
) -> Response:
    """Show the form for the code; it carries the contact, which stays out of the address."""
    if problem is not None and problem.code in _NO_SESSION:
        return _choice_page(page, problem.code)
    return page.render(
        "account/code.html",
        contact=page.form.text("contact"),
        code=page.form.text("code", CODE_CHARS_MAX),
        next=next_of(page),
        errors=errors,
        problem=problem,
        at={"wrong_code": "code"},
    )


def _choice_page(page: Page, why: str, *, errors: dict[str, str] | None = None) -> Response:
    """Where a correct code opens no account, offer another way to sign in, or a new account."""
    name = page.form.text("name") or takeover.kept(page).get("name", "")
    return page.render(
        "account/new_account.html",
        status=200,
        why=why,
        contact=page.form.text("contact"),
        code=page.form.text("code", CODE_CHARS_MAX),
        name=name,
        consent=page.form.text("consent", 1),
        next=next_of(page),
        errors=errors,
    )


@pages.get(CODE, Who.ANYBODY)
async def show_code(page: Page) -> Response:
    """Show the second step to whoever follows a mailed link; redirect others."""
    if not page.query.text("code", CODE_CHARS_MAX):
        return page.redirect(SIGN_IN_PATH)
    return await _code_page(page)


@pages.post(CODE, Who.ANYBODY, again=sign_in_page)
async def send_sign_in_code(page: Page) -> Response:
    """Send a code to the typed contact; the answer does not reveal whether it has an account."""
    contact = contact_of(page.form.text("contact"))
    if contact is None:
        raise ProblemError(422, "no_such_contact", "Neither an e-mail nor a phone.")
    await entering.request_code(
        page.runtime.people, contact, language=page.language, address=page.address, now=page.now
    )
    return await _code_page(page)


@pages.get(f"{CODE}/confirm", Who.ANYBODY)
async def from_the_start(page: Page) -> Response:
    """Begin anew where somebody opens by GET an address that only takes a form."""
    return page.redirect(SIGN_IN_PATH)


@pages.post(f"{CODE}/confirm", Who.ANYBODY, again=_code_page)
async def sign_in_by_code(page: Page) -> Response:
    """Sign in; with `new` create the account that the page before offered."""
    fields, code = page.fields(), page.form.text("code", CODE_CHARS_MAX)
    contact, why = contact_of(page.form.text("contact")), page.form.text("new")
    if contact is None:
        fields.refuse(
            "contact", "Введите e-mail, на который пришло письмо.", "Enter the e-mail that got the mail."
        )
    if not code:
        fields.refuse("code", "Введите код.", "Enter the code.")
    if contact is None or fields.errors:
        return await _code_page(page, errors=fields.errors)
    if why:
        fields.consent()
        if fields.errors:
            return _choice_page(page, why, errors=fields.errors)
    pair = await entering.enter(
        page.runtime.people,
        contact,
        code,
        new_account=bool(why),
        name=fields.name(),
        language=page.language,
        address=page.address,
        now=page.now,
    )
    await open_session(page, pair)
    return page.redirect(next_of(page), flash="registered" if why else None)
