"""Rendering of the desk's pages, and the display names of users in histories and logs."""

from collections.abc import Collection
from functools import partial
from typing import Any

from starlette.responses import Response

from zerkalo.db.pool import Connection
from zerkalo.users.desk.store import users_by_id
from zerkalo.web.pages.admin import words
from zerkalo.web.pages.answers.problems import problem_text
from zerkalo.web.pages.page import Page


def render(page: Page, template: str, **values: Any) -> Response:
    """Render a page of the desk. Its template also gets `words` and the functions below, bound to the page's language and
    zone.
    """
    language = page.language
    return page.render(
        template,
        words=words,
        ago=partial(words.ago, language=language),
        moment=partial(words.moment, zone=page.site.salon.zone, language=language),
        span=partial(words.span, language=language),
        word=partial(words.word, language=language),
        reason=partial(words.reason, language=language),
        about=partial(words.about, language=language),
        payment=partial(words.payment, language=language),
        changes=partial(words.changes, zone=page.site.salon.zone, language=language),
        problem_text=problem_text,
        short_phone=words.short_phone,
        count_visits=partial(words.visits, language=language),
        **values,
    )


async def called(conn: Connection, user_ids: Collection[int]) -> dict[int, str]:
    """Return name and code by user id, the id alone for a user with neither; without erased users."""
    found = await users_by_id(conn, user_ids)
    return {
        number: " ".join(filter(None, (one.name, one.unique_code))) or f"№ {number}"
        for number, one in found.items()
    }
