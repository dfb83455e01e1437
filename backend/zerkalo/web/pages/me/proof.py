"""`/me/verify/{channel}`: prove an e-mail or a phone by a code; ask what to do where another account has proved it."""

from starlette.responses import Response

from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users.proving import service as proof_service
from zerkalo.users.proving.model import Resolve
from zerkalo.web.pages.me.overview import read_account
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

CODE_CHARS_MAX = 64
"""Longer than a code: a mailed link carries a token instead."""
_ONE = "/me/verify/{channel}"


async def _proof_page(page: Page, problem: ProblemError | None = None) -> Response:
    """Show the form for the code; redirect to `/me` where there is nothing to prove."""
    channel = _channel(page)
    async with page.runtime.pool.connection() as conn:
        user = await read_account(conn, page.me.id)
    if user.contact(channel) is None or user.verified_at(channel) is not None:
        return page.redirect("/me")
    is_taken = problem is not None and problem.code == "account_exists"
    return page.render(
        "me/verify_taken.html" if is_taken or page.form.text("resolve") else "me/verify.html",
        channel=channel,
        contact=user.contact(channel),
        code=page.form.text("code", CODE_CHARS_MAX),
        problem=None if is_taken else problem,
        at={"wrong_code": "code", "wrong_password": "other_password"},
    )


@pages.post(f"{_ONE}/send", Who.USER, again=_proof_page)
async def send_code(page: Page) -> Response:
    """Send a code to the contact."""
    channel = _channel(page)
    await proof_service.request_verification(
        page.runtime.people,
        page.me.id,
        channel,
        language=page.language,
        address=page.address,
        now=page.now,
    )
    return page.redirect(f"/me/verify/{channel}")


@pages.get(_ONE, Who.USER)
async def show_proof(page: Page) -> Response:
    """Show the form for the code."""
    return await _proof_page(page)


@pages.post(_ONE, Who.USER, again=_proof_page)
async def prove(page: Page) -> Response:
    """Prove the contact by the code."""
    code, resolve = page.form.text("code", CODE_CHARS_MAX), page.form.text("resolve")
    await proof_service.confirm_verification(
        page.runtime.people,
        page.me.id,
        _channel(page),
        code,
        resolve=Resolve(resolve) if resolve in list(Resolve) else None,
        other_password=page.fields().password("other_password"),
        address=page.address,
        language=page.language,
        now=page.now,
    )
    return page.redirect("/me", flash="accounts_joined" if resolve == Resolve.JOIN else "proved")


def _channel(page: Page) -> Channel:
    try:
        return Channel(page.request.path_params["channel"])
    except ValueError:
        raise ProblemError(404, "not_found", "There is no such contact.") from None
