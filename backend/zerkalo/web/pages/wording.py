"""Money, times, counts and states in words, Russian first. Pure."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from zerkalo.kit.language import NBSP, Language, count

Words = Mapping[Language, str]


_MONTHS: Mapping[Language, tuple[str, ...]] = {
    "ru": (
        "января",
        "февраля",
        "марта",
        "апреля",
        "мая",
        "июня",
        "июля",
        "августа",
        "сентября",
        "октября",
        "ноября",
        "декабря",
    ),
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
}
_MONTHS_ALONE_RU = (
    "Январь",
    "Февраль",
    "Март",
    "Апрель",
    "Май",
    "Июнь",
    "Июль",
    "Август",
    "Сентябрь",
    "Октябрь",
    "Ноябрь",
    "Декабрь",
)
_WEEKDAYS: Mapping[Language, tuple[str, ...]] = {
    "ru": ("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
WEEKDAYS_SHORT: Mapping[Language, tuple[str, ...]] = {
    "ru": ("пн", "вт", "ср", "чт", "пт", "сб", "вс"),
    "en": ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"),
}


def long_date(moment: date, language: Language, *, today: date | None = None) -> str:
    """Format a date as "среда, 3 декабря"; with the year where it is not `today`'s. A datetime keeps its zone."""
    weekday = _WEEKDAYS[language][moment.weekday()]
    month = _MONTHS[language][moment.month - 1]
    year = f" {moment.year}" if today is None or today.year != moment.year else ""
    return f"{weekday}, {moment.day}{NBSP}{month}{year}"


def short_date(moment: date, language: Language) -> str:
    """Format a date as 03.12.2026, in English 3 Dec 2026."""
    if language == "ru":
        return f"{moment:%d.%m.%Y}"
    return f"{moment.day} {_MONTHS['en'][moment.month - 1][:3]} {moment.year}"


def month_title(year: int, month: int, language: Language) -> str:
    """Format a month as "Декабрь 2026", for the head of a calendar."""
    name = _MONTHS_ALONE_RU[month - 1] if language == "ru" else _MONTHS["en"][month - 1]
    return f"{name} {year}"


def money(kopecks: int) -> str:
    """Format kopecks as "2 500 ₽", "2 990,50 ₽"; with non-breaking spaces."""
    sign = "-" if kopecks < 0 else ""
    roubles, rest = divmod(abs(kopecks), 100)
    grouped = f"{roubles:,}".replace(",", NBSP)
    return f"{sign}{grouped}{f',{rest:02}' if rest else ''}{NBSP}₽"


def money_range(low: int, high: int) -> str:
    """Format a range of kopecks as "2 500–3 500 ₽"."""
    return f"{money(low).removesuffix(f'{NBSP}₽')}–{money(high)}"


def duration(minutes: int, language: Language) -> str:
    """Format minutes as "1 ч 30 мин"; "" for none."""
    hours, rest = divmod(max(0, minutes), 60)
    hour, minute = ("ч", "мин") if language == "ru" else ("h", "min")
    parts = [f"{hours}{NBSP}{hour}" if hours else "", f"{rest}{NBSP}{minute}" if rest else ""]
    return " ".join(part for part in parts if part)


def points(number: int, language: Language) -> str:
    """Format a number of points with its noun."""
    return count(number, ("балл", "балла", "баллов"), ("point", "points"), language)


def initials(name: str) -> str:
    """Return the initials of a name's first two words, for a person without a picture."""
    return "".join(word[0] for word in name.split()[:2]).upper()


def rating(value: float, votes: int, language: Language) -> str:
    """Format a rating as "★ 4,9 · 118 оценок"."""
    text = f"{value:.1f}"
    told = count(votes, ("оценка", "оценки", "оценок"), ("rating", "ratings"), language)
    return f"★{NBSP}{text.replace('.', ',') if language == 'ru' else text} · {told}"


def percent(value: Decimal, language: Language) -> str:
    """Format a percentage as "7,5 %", in English 7.5%."""
    text = f"{value.normalize():f}"
    return f"{text.replace('.', ',')}{NBSP}%" if language == "ru" else f"{text}%"


def days(number: int, language: Language) -> str:
    """Format days as "1 день", "30 дней"."""
    return count(number, ("день", "дня", "дней"), ("day", "days"), language)


def number(value: int) -> str:
    """Format a number as "1 234 567", with non-breaking spaces."""
    return f"{value:,}".replace(",", NBSP)


STATUSES: Mapping[str, Words] = {
    "PENDING": {"ru": "Ждём вас", "en": "Expected"},
    "CONFIRMED": {"ru": "Подтверждена", "en": "Confirmed"},
    "COMPLETED": {"ru": "Состоялась", "en": "Completed"},
    "CANCELLED": {"ru": "Отменена", "en": "Cancelled"},
}
NO_SHOW: Words = {"ru": "Визит не состоялся", "en": "Missed"}


PAST: Words = {"ru": "Прошла", "en": "Past"}


def status_of(status: str, cancel_reason: str | None, language: Language, *, is_past: bool = False) -> str:
    """Return a booking's state in words for its user. `is_past`: a visit that the salon has not marked isn't upcoming."""
    if is_past and status in ("PENDING", "CONFIRMED"):
        return PAST[language]
    if status == "CANCELLED" and cancel_reason == "no_show":
        return NO_SHOW[language]
    words = STATUSES.get(status)
    return words[language] if words else status
