"""What a guest typed to book, kept in their browser for a while, so that signing up need not ask for it again.

Never in an address, and evidence of nothing: the account that is made with it has its contacts still to prove.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import msgspec

from zerkalo.web.pages import cookies
from zerkalo.web.pages.page import Page

KEPT_SECONDS = 30 * 60
FIELDS = ("name", "email", "phone")


def keep(page: Page, typed: Mapping[str, str]) -> None:
    """Keep what a guest typed, in place of what was kept before; nothing of somebody who is signed in."""
    if page.user is None:
        body = msgspec.json.encode([typed[name] for name in FIELDS])
        page.cookies.set(cookies.TYPED, urlsafe_b64encode(body).decode(), seconds=KEPT_SECONDS)


def kept(page: Page) -> dict[str, str]:
    """What is kept, by field; empty where nothing is, or what came back is not ours."""
    try:
        body = urlsafe_b64decode(page.cookies.get(cookies.TYPED) or "")
        texts = msgspec.json.decode(body, type=tuple[str, str, str])
    except ValueError:
        return {}
    return dict(zip(FIELDS, texts, strict=True))


def forget(page: Page) -> None:
    """Drop what a guest typed: somebody else may use this browser from here on."""
    if page.cookies.get(cookies.TYPED) is not None:
        page.cookies.delete(cookies.TYPED)
