"""How every page of the salon's desk is rendered."""

from functools import partial
from typing import Any

from starlette.responses import Response

from zerkalo.checkup.reasons import reason_text
from zerkalo.kit.cursor import decode_cursor
from zerkalo.web.pages.admin import words
from zerkalo.web.pages.site import Page


def render(page: Page, template: str, *, status: int = 200, **values: Any) -> Response:
    """A page whose template also sees `ago(at, now)`, `moment(at)`, `span(seconds)`, `word(words.X, name)`, `reason(text)`,
    `about(resource, id, event)`.
    """
    language = page.language
    return page.render(
        template,
        status=status,
        words=words,
        ago=partial(words.ago, language=language),
        moment=partial(words.moment, zone=page.site.salon.zone, language=language),
        span=partial(words.span, language=language),
        word=partial(words.word, language=language),
        reason=partial(reason_text, language=language),
        about=partial(words.about, language=language),
        **values,
    )


def before_id_of(cursor: str, mode: str) -> int | None:
    """Where a list of ids goes on; None for "": at its beginning. Raises 422 `invalid_cursor`."""
    return int(str(decode_cursor(cursor, mode, int)[0])) if cursor else None
