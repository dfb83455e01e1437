"""A check-up in words: Russian first, English on request."""

from datetime import date

from zerkalo.checkup.model import Problem
from zerkalo.checkup.reasons.rules import reason_text
from zerkalo.checkup.texts.model import TEXTS
from zerkalo.kit.language import Language, count
from zerkalo.loyalty.model import Programme


def programme_text(programme: Programme, language: Language) -> str:
    """The programme in a sentence or two: what a visit earns since when, and what the history was given."""
    if programme.percent is None:
        return "Программа баллов выключена." if language == "ru" else "The programme of points is off."
    percent = f"{programme.percent.normalize():f}"
    if language == "ru":
        percent = percent.replace(".", ",")
    said = _PROGRAMME[language].format(percent=percent, day=_day(programme.starts_on, language))
    if not programme.history_visits:
        return said
    return f"{said} " + _HISTORY[language].format(
        points=count(programme.history_points, ("балл", "балла", "баллов"), ("point", "points"), language),
        visits=count(programme.history_visits, ("визит", "визита", "визитов"), ("visit", "visits"), language),
        day=_day(programme.history_since, language),
    )


_PROGRAMME: dict[Language, str] = {
    "ru": "Программа баллов: {percent} % от цены, за визиты с {day}.",
    "en": "Programme of points: {percent} % of the price, for visits since {day}.",
}
_HISTORY: dict[Language, str] = {
    "ru": "За прошлое начислено: {points} за {visits} с {day}.",
    "en": "The history was given {points} for {visits} since {day}.",
}


def _day(day: date | None, language: Language) -> str:
    if day is None:
        return "дня включения" if language == "ru" else "the day it is switched on"
    return f"{day:%d.%m.%Y}" if language == "ru" else day.isoformat()


def text_of(problem: Problem, language: Language) -> str:
    """What is wrong, in one sentence."""
    values = dict(problem.values)
    if "reason" in values:
        values["reason"] = reason_text(str(values["reason"]), language)
    return TEXTS[problem.code][language][0].format(**values)


def fix_of(problem: Problem, language: Language) -> str:
    """The command or the setting that mends it."""
    return TEXTS[problem.code][language][1].format(**problem.values)
