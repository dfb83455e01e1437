"""Rendering of the desk's pages."""

from functools import partial
from typing import Any

from starlette.responses import Response

from zerkalo.web.pages.admin import words
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.problems import problem_text


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
