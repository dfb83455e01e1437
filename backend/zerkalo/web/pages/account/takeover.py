"""What a guest typed to book, kept in their browser for a while, so that signing up need not ask for it again.

Never in an address, and no evidence: an account made with it still has to prove its contacts.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import msgspec

from zerkalo.web.pages import cookies
from zerkalo.web.pages.page import Page

KEPT_SECONDS = 30 * 60
FIELDS = ("name", "email", "phone")


def keep(page: Page, typed: Mapping[str, str]) -> None:
    """Keep what a guest typed, replacing what was kept before. Does nothing for a signed-in user."""
    if page.user is None:
        body = msgspec.json.encode([typed[name] for name in FIELDS])
        page.cookies.set(cookies.TYPED, urlsafe_b64encode(body).decode(), seconds=KEPT_SECONDS)


def kept(page: Page) -> dict[str, str]:
    """Return what is kept, by field; empty where nothing is, or the cookie can't be parsed."""
    try:
        body = urlsafe_b64decode(page.cookies.get(cookies.TYPED) or "")
        texts = msgspec.json.decode(body, type=tuple[str, str, str])
    except ValueError:
        return {}
    return dict(zip(FIELDS, texts, strict=True))


def forget(page: Page) -> None:
    """Delete what a guest typed: somebody else may use this browser next."""
    if page.cookies.get(cookies.TYPED) is not None:
        page.cookies.delete(cookies.TYPED)
