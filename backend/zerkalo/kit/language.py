"""Russian first, English on request."""

from typing import Literal

Language = Literal["ru", "en"]
NBSP = "\N{NO-BREAK SPACE}"

_PREFERENCES_MAX = 20


def language_of(accept_language: str | None) -> Language:
    """Return the language for an `Accept-Language` header: English where it ranks above Russian, else Russian.

    A header that names neither, is missing or unreadable gives Russian.
    """
    best: dict[str, float] = {}
    for part in (accept_language or "").split(",")[:_PREFERENCES_MAX]:
        tag, _, parameter = part.partition(";")
        name = tag.strip().lower().split("-")[0]
        weight = _weight(parameter)
        if name in ("ru", "en") and weight > best.get(name, 0.0):
            best[name] = weight
    return "en" if best.get("en", 0.0) > best.get("ru", 0.0) else "ru"


def count(number: int, ru: tuple[str, str, str], en: tuple[str, str], language: Language) -> str:
    """Return the number with its plural form: "1 балл", "2 балла", "5 баллов", "1 point", "2 points"."""
    grouped = f"{number:,}".replace(",", NBSP)
    if language == "en":
        return f"{grouped}{NBSP}{en[0] if abs(number) == 1 else en[1]}"
    tens, ones = abs(number) % 100, abs(number) % 10
    if ones == 1 and tens != 11:
        form = ru[0]
    elif ones in (2, 3, 4) and tens not in (12, 13, 14):
        form = ru[1]
    else:
        form = ru[2]
    return f"{grouped}{NBSP}{form}"


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
