"""The staff log's actions in words, Russian first. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from zerkalo.kit.language import Language
from zerkalo.web.pages.admin.words import MATCHED_BY, ROLES, word
from zerkalo.web.pages.wording import Words

ACTIONS: Mapping[str, Words] = {
    "booking.link": {"ru": "Запись привязана к клиенту", "en": "A booking was linked"},
    "booking.unlink": {"ru": "Запись отвязана", "en": "A booking was unlinked"},
    "booking.accept_absent": {
        "ru": "Удалённые в YCLIENTS записи отменены",
        "en": "Absent bookings were cancelled",
    },
    "client.link": {"ru": "Карточка отдана клиенту", "en": "A card was given to a client"},
    "client.unlink": {"ru": "Карточка забрана", "en": "A card was taken back"},
    "client.note": {"ru": "Заметка о клиенте на карточке", "en": "A note about a card’s client"},
    "event.replay": {"ru": "Событие повторено", "en": "An event was replayed"},
    "event.set_aside": {"ru": "Событие убрано из карантина", "en": "An event was set aside"},
    "loyalty.adjustment": {"ru": "Баллы начислены или поправлены", "en": "Points were given or corrected"},
    "loyalty.redemption": {"ru": "Баллы списаны", "en": "Points were spent"},
    "loyalty.reversal": {"ru": "Списание отменено", "en": "A spending was undone"},
    "journal.export": {"ru": "Журнал скачан файлом", "en": "The journal was taken as a file"},
    "staff.invite": {"ru": "Приглашён сотрудник", "en": "Staff was invited"},
    "staff.revoke": {"ru": "Приглашение отменено", "en": "An invitation was withdrawn"},
    "staff.role": {"ru": "Роль изменена", "en": "A role was changed"},
    "user.add": {"ru": "Клиент добавлен", "en": "A client was added"},
    "user.edit": {"ru": "Данные клиента изменены", "en": "A client was edited"},
    "user.first_admin": {"ru": "Первый владелец", "en": "The first owner"},
    "user.give_codes": {"ru": "Коды выданы", "en": "Codes were given"},
    "user.invite": {"ru": "Клиент приглашён в кабинет", "en": "A client was invited"},
    "user.make_admin": {"ru": "Сделан владельцем", "en": "Was made an owner"},
    "user.merge": {"ru": "Аккаунты объединены", "en": "Accounts were merged"},
    "user.unmerge": {"ru": "Объединение отменено", "en": "A merge was undone"},
    "drift.compare": {"ru": "Сверка с YCLIENTS", "en": "A comparison with YCLIENTS"},
    "hook.install": {
        "ru": "Вебхук: запись в настройки YCLIENTS",
        "en": "The webhook was written to YCLIENTS",
    },
    "report.export": {"ru": "Отчёт скачан файлом", "en": "The report was taken as a file"},
    "sync.begin": {"ru": "Синхронизация запущена", "en": "A sync was started"},
    "hook.test": {"ru": "Проверка вебхука", "en": "A test of the webhook"},
}
_SUBJECTS: Mapping[str, Words] = {
    "user": {"ru": "клиент №", "en": "client"},
    "booking": {"ru": "запись №", "en": "booking"},
    "company": {"ru": "филиал №", "en": "branch"},
    "event": {"ru": "событие №", "en": "event"},
    "invitation": {"ru": "приглашение №", "en": "invitation"},
}
_CARD = re.compile(r"client ([0-9]+) of company ([0-9]+)")
_CARD_WORDS: Words = {"ru": "карточка", "en": "card"}
_HREFS = {"user": "/admin/users/{}", "booking": "/admin/bookings/{}", "event": "/admin/events/{}"}
_DETAILS: Mapping[str, Words] = {
    "points": {"ru": "баллы", "en": "points"},
    "before": {"ru": "было", "en": "before"},
    "before_by": {"ru": "как найден", "en": "found by"},
    "after": {"ru": "стало", "en": "after"},
    "user_id": {"ru": "клиент", "en": "client"},
    "booking_id": {"ru": "запись", "en": "booking"},
    "changed": {"ru": "изменено", "en": "changed"},
    "form": {"ru": "вид", "en": "kind"},
    "from": {"ru": "из аккаунта", "en": "from account"},
    "into": {"ru": "в аккаунт", "en": "into account"},
    "count": {"ru": "сколько", "en": "how many"},
    "role": {"ru": "роль", "en": "role"},
    "by_mail": {"ru": "письмом", "en": "by mail"},
}
_CHANGED: Mapping[str, Words] = {
    "email": {"ru": "e-mail", "en": "e-mail"},
    "phone": {"ru": "телефон", "en": "phone"},
    "name": {"ru": "имя", "en": "name"},
    "note": {"ru": "заметка", "en": "note"},
}
_USERS = ("user_id", "from", "into")
"""Details that are a user's id."""
_LINKS = ("booking.link", "booking.unlink", "client.unlink")
"""Actions whose `before` is a user's id too."""
_NONE: Words = {"ru": "никто", "en": "nobody"}
_YES: Words = {"ru": "да", "en": "yes"}
_NO: Words = {"ru": "нет", "en": "no"}


def users_in(action: str, subject_text: str, values: Mapping[str, Any]) -> set[int]:
    """Return the ids of the users that a line mentions."""
    told = [value for name, value in values.items() if _is_user(action, name)]
    kind, _, number = subject_text.partition(" ")
    if kind == "user" and number.isdigit():
        told.append(int(number))
    return {value for value in told if isinstance(value, int)}


def subject(text: str, language: Language, people: Mapping[int, str]) -> tuple[str, str | None]:
    """Return a line's subject in words, and its page; an unknown subject unchanged, without a page.

    `people`: display names by user id; a user without one is shown by id.
    """
    if card := _CARD.fullmatch(text):
        client_id, company_id = card.groups()
        return f"{_CARD_WORDS[language]} {client_id}", f"/admin/clients/{company_id}/{client_id}"
    kind, _, number = text.partition(" ")
    if kind not in _SUBJECTS or not number.isdigit():
        return text, None
    href = _HREFS.get(kind)
    named = people.get(int(number)) if kind == "user" else None
    return named or f"{_SUBJECTS[kind][language]} {number}", href.format(number) if href else None


def details(
    action: str, values: Mapping[str, Any], language: Language, people: Mapping[int, str]
) -> Sequence[tuple[str, str]]:
    """Return the line's details as (name, value) in words; names without words here are left out."""
    return [
        (known[language], _value(action, name, values[name], language, people))
        for name, known in _DETAILS.items()
        if name in values
    ]


def _is_user(action: str, name: str) -> bool:
    return name in _USERS or (name == "before" and action in _LINKS)


def _value(action: str, name: str, value: Any, language: Language, people: Mapping[int, str]) -> str:
    if name == "changed":
        return ", ".join(word(_CHANGED, one, language) for one in value)
    if value is None:
        return _NONE[language]
    if isinstance(value, bool):
        return (_YES if value else _NO)[language]
    if isinstance(value, int) and _is_user(action, name):
        return people.get(value, f"№ {value}")
    if name == "booking_id":
        return f"№ {value}"
    if action == "staff.role" or name == "role":
        return word(ROLES, str(value), language)
    if name == "before_by":
        return word(MATCHED_BY, str(value), language)
    if name == "points" and isinstance(value, int):
        return f"{'+' if value > 0 else '−'}{abs(value)}"
    return str(value)
