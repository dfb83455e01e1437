"""The template engine: everything is escaped, and an undefined name is an error."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from zerkalo.web.pages import wording
from zerkalo.web.pages.assets import Assets

FOLDER = Path(__file__).parent / "templates"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"


_FILTERS: Mapping[str, Any] = {
    "money": wording.money,
    "duration": wording.duration,
    "points": wording.points,
    "days": wording.days,
    "initials": wording.initials,
    "rating": wording.rating,
    "number": wording.number,
    "long_date": wording.long_date,
    "short_date": wording.short_date,
    "clock": _clock,
}


def new_environment(assets: Assets) -> Environment:
    """Return the environment with the filters of `wording` and `static('app.css')`. Templates must not turn escaping off."""
    # Any: jinja2 leaves the types of its tables out.
    environment: Any = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters: dict[str, Any] = environment.filters
    filters.update(_FILTERS)
    del filters["safe"]
    names: dict[str, Any] = environment.globals
    names |= {
        "static": assets.url,
        "status_of": wording.status_of,
        "month_title": wording.month_title,
        "weekdays": wording.WEEKDAYS_SHORT,
    }
    return environment
