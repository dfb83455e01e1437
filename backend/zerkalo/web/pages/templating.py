"""The template engine: everything escaped, every name that is missing an error."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from zerkalo.web.pages import wording
from zerkalo.web.pages.assets import Assets

FOLDER = Path(__file__).parent / "templates"

_FILTERS: Mapping[str, Any] = {
    "money": wording.money,
    "duration": wording.duration,
    "points": wording.points,
    "days": wording.days,
    "number": wording.number,
    "long_date": wording.long_date,
    "short_date": wording.short_date,
    "clock": lambda moment: f"{moment:%H:%M}",
}


def new_environment(assets: Assets) -> Environment:
    """Templates with the filters of `wording` and `static('app.css')`. Nothing in them may switch the escaping off."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(_FILTERS)
    del environment.filters["safe"]
    environment.globals["static"] = assets.url
    environment.globals["status_of"] = wording.status_of
    environment.globals["month_title"] = wording.month_title
    environment.globals["weekdays"] = wording.WEEKDAYS_SHORT
    return environment
