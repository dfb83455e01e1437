"""Until when a salon lets its clients move or cancel a visit, in words."""

from zerkalo.companies.model import Branch
from zerkalo.kit.language import Language
from zerkalo.web.pages.wording import duration

NEVER_SECONDS = 365 * 24 * 3600
"""A deadline this long before the visit means that the salon never allows it."""


def terms_in_words(branch: Branch | None, language: Language) -> tuple[str, ...]:
    """Return a sentence or two on moving and cancelling online; empty where YCLIENTS gives no terms. Pure."""
    if branch is None:
        return ()
    move = _until(branch.may_move, branch.move_seconds_before)
    cancel = _until(branch.may_cancel, branch.cancel_seconds_before)
    both = ("Перенести и отменить", "It can be moved and cancelled")
    parts = (("Перенести", "It can be moved"), move), (("Отменить", "It can be cancelled"), cancel)
    told = ((both, move),) if move == cancel else parts
    return tuple(_sentence(words, seconds, language) for words, seconds in told if seconds is not None)


def _until(may: bool | None, seconds_before: int) -> int | None:
    """Return the deadline in seconds before the visit; None: no term is given."""
    if may is False:
        return NEVER_SECONDS
    return seconds_before if may or seconds_before else None


def _sentence(words: tuple[str, str], seconds: int, language: Language) -> str:
    ru, en = words
    if seconds >= NEVER_SECONDS:
        return f"{ru} визит можно только по телефону салона." if language == "ru" else f"{en} only by phone."
    if seconds == 0:
        return f"{ru} визит можно до его начала." if language == "ru" else f"{en} until it begins."
    before = duration(-(-seconds // 60), language)
    if language == "ru":
        return f"{ru} визит можно не позже чем за {before} до начала."
    return f"{en} up to {before} before it begins."
