"""Texts used only at the salon's desk, Russian first. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo

from zerkalo.checkup.reasons.rules import reason_text
from zerkalo.kit.language import Language
from zerkalo.web.pages.wording import NBSP, Words, count, days, money, short_date

STATUSES: Mapping[str, Words] = {
    "PENDING": {"ru": "Ожидают", "en": "Pending"},
    "CONFIRMED": {"ru": "Подтверждены", "en": "Confirmed"},
    "COMPLETED": {"ru": "Состоялись", "en": "Completed"},
    "CANCELLED": {"ru": "Отменены", "en": "Cancelled"},
}
STATES: Mapping[str, Words] = {
    "PENDING": {"ru": "ожидает", "en": "pending"},
    "CONFIRMED": {"ru": "подтверждена", "en": "confirmed"},
    "COMPLETED": {"ru": "состоялась", "en": "completed"},
    "CANCELLED": {"ru": "отменена", "en": "cancelled"},
}
"""Status of one booking."""
OUTCOMES: Mapping[str, Words] = {
    "applied": {"ru": "записано", "en": "applied"},
    "unchanged": {"ru": "без изменений", "en": "unchanged"},
    "stale": {"ru": "устарело", "en": "stale"},
    "ignored": {"ru": "не о записи", "en": "ignored"},
    "queued": {"ru": "проверяется", "en": "queued"},
    "quarantined": {"ru": "не понято", "en": "quarantined"},
    "failed_runs": {"ru": "сбои синхронизации", "en": "failed syncs"},
}
RUN_STATUSES: Mapping[str, Words] = {
    "running": {"ru": "идёт", "en": "running"},
    "finished": {"ru": "готово", "en": "finished"},
    "failed": {"ru": "не удалась", "en": "failed"},
}
MATCHED_BY: Mapping[str, Words] = {
    "manual": {"ru": "вручную", "en": "by hand"},
    "form": {"ru": "записались на сайте", "en": "booked on the site"},
    "code": {"ru": "по коду", "en": "by the code"},
    "import": {"ru": "из прежней системы", "en": "by the import"},
    "card": {"ru": "по карточке в YCLIENTS", "en": "by the card at YCLIENTS"},
    "email": {"ru": "по e-mail", "en": "by the e-mail"},
    "phone": {"ru": "по телефону", "en": "by the phone"},
}
MAY_BE: Mapping[str, Words] = {
    "rivals": {"ru": "подходит не только этот человек", "en": "somebody else fits as well"},
    "late_email": {
        "ru": "e-mail появился на карточке позже телефона: его мог вписать любой, кто записался онлайн",
        "en": "the e-mail came to the card after the phone: anybody who books online can write one",
    },
    "email_alone": {"ru": "совпал только e-mail", "en": "only the e-mail is the same"},
    "handed_over": {
        "ru": "записи были этого клиента, пока салон не передал их другому",
        "en": "the visits were this client’s until the salon gave them to another one",
    },
}
"""Why a user is only a candidate."""
DOUBTS: Mapping[str, Words] = {
    "phone_differs": {"ru": "телефон другой", "en": "the phone differs"},
    "email_differs": {"ru": "e-mail другой", "en": "the e-mail differs"},
}
RESOURCES: Mapping[str, Words] = {
    "record": {"ru": "запись", "en": "record"},
    "client": {"ru": "клиент", "en": "client"},
    "staff": {"ru": "мастер", "en": "specialist"},
    "schedule": {"ru": "график", "en": "schedule"},
    "service": {"ru": "услуга", "en": "service"},
    "service_category": {"ru": "категория услуг", "en": "category of services"},
    "good": {"ru": "товар", "en": "good"},
    "goods_operations_sale": {"ru": "продажа товара", "en": "sale of goods"},
    "finances_operation": {"ru": "платёж", "en": "payment"},
    "company": {"ru": "филиал", "en": "branch"},
    "salon": {"ru": "филиал", "en": "branch"},
    "zerkalo_test": {"ru": "проверка связи", "en": "test of the way"},
}
"""Resources in YCLIENTS's messages; others are shown by YCLIENTS's name."""
EVENTS: Mapping[str, Words] = {
    "create": {"ru": "создание", "en": "created"},
    "update": {"ru": "изменение", "en": "changed"},
    "delete": {"ru": "удаление", "en": "deleted"},
}
HAPPENED: Mapping[str, Words] = {
    "created": {"ru": "Запись появилась", "en": "The booking appeared"},
    "moved": {"ru": "Перенесена", "en": "Moved"},
    "price": {"ru": "Цена изменилась", "en": "The price changed"},
    "status": {"ru": "Состояние изменилось", "en": "The state changed"},
    "services": {"ru": "Услуги изменились", "en": "The services changed"},
    "staff": {"ru": "Специалист сменился", "en": "Another specialist"},
    "comment": {"ru": "Комментарий изменился", "en": "The comment changed"},
    "paid": {"ru": "Оплата изменилась", "en": "The payment changed"},
    "link": {"ru": "Клиент привязан или отвязан", "en": "A client was linked or unlinked"},
    "client": {"ru": "Карточка клиента сменилась", "en": "Another client card"},
    "erased": {"ru": "Данные клиента удалены", "en": "The client’s data was erased"},
    "points": {"ru": "Баллы", "en": "Points"},
    "message": {"ru": "Сообщение клиенту", "en": "A message to the client"},
}
MESSAGES: Mapping[str, Words] = {
    "confirmation": {"ru": "подтверждение записи", "en": "the booking is confirmed"},
    "moved": {"ru": "визит перенесён", "en": "the visit was moved"},
    "cancelled": {"ru": "визит отменён", "en": "the visit was cancelled"},
    "reminder": {"ru": "напоминание", "en": "a reminder"},
    "points": {"ru": "начислены баллы", "en": "points came"},
}
"""Kinds of notices about a visit."""
CHANNELS: Mapping[str, Words] = {
    "email": {"ru": "e-mail", "en": "e-mail"},
    "phone": {"ru": "SMS", "en": "SMS"},
    "telegram": {"ru": "Телеграм", "en": "Telegram"},
}
_SENT: Mapping[str, Words] = {
    "sent": {"ru": "отправлено", "en": "sent"},
    "waiting": {"ru": "ждёт отправки", "en": "waits to be sent"},
    "failed": {"ru": "не отправлено", "en": "not sent"},
    "expired": {"ru": "не удалось вовремя", "en": "it could not be sent in time"},
    "not_theirs": {
        "ru": "контакт больше не подтверждён клиентом",
        "en": "the contact is no longer proved the client's",
    },
    "no_way": {
        "ru": "нет контакта, на который клиент разрешил писать",
        "en": "there is no contact that the client lets us write to",
    },
    "over_bounds": {"ru": "предел SMS исчерпан", "en": "the bounds of SMS are used up"},
}
BOOKED: Mapping[str, Words] = {
    "form": {"ru": "на вашем сайте, через нашу форму", "en": "on your site, in our form"},
    "online": {"ru": "клиентом, онлайн", "en": "by the client, online"},
    "journal": {"ru": "в журнале YCLIENTS", "en": "in YCLIENTS’s journal"},
}
"""How a visit was booked."""
ROLES: Mapping[str, Words] = {
    "owner": {"ru": "владелец", "en": "owner"},
    "receptionist": {"ru": "администратор", "en": "receptionist"},
    "read_only": {"ru": "только просмотр", "en": "read-only"},
}
CAUSES: Mapping[str, Words] = {
    "call": {"ru": "событие YCLIENTS", "en": "an event of YCLIENTS"},
    "sync": {"ru": "синхронизация", "en": "the sync"},
    "read": {"ru": "проверка в YCLIENTS", "en": "a look at YCLIENTS"},
    "card": {"ru": "карточка в YCLIENTS изменилась", "en": "the card at YCLIENTS changed"},
    "person": {"ru": "сотрудник", "en": "staff"},
    "import": {"ru": "перенос из прежней системы", "en": "the import"},
    "form": {"ru": "запись на сайте", "en": "the booking form"},
    "programme": {"ru": "правила программы", "en": "the programme’s rules"},
    "notices": {"ru": "уведомления", "en": "the notices"},
}
CHANGED: Mapping[str, Words] = {
    "appointment_datetime": {"ru": "время", "en": "time"},
    "service_name": {"ru": "услуги", "en": "services"},
    "service_price": {"ru": "цена", "en": "price"},
    "service_duration": {"ru": "минут", "en": "minutes"},
    "status": {"ru": "состояние", "en": "state"},
    "staff_name": {"ru": "специалист", "en": "specialist"},
    "comment": {"ru": "комментарий", "en": "comment"},
    "user_id": {"ru": "клиент", "en": "client"},
    "matched_by": {"ru": "как найден", "en": "found by"},
    "client_id": {"ru": "карточка", "en": "card"},
    "client_name": {"ru": "имя", "en": "name"},
    "phone": {"ru": "телефон", "en": "phone"},
    "points": {"ru": "движение", "en": "movement"},
    "paid": {"ru": "оплачена", "en": "paid"},
    "prepaid": {"ru": "предоплата", "en": "paid beforehand"},
    "message": {"ru": "о чём", "en": "about"},
    "to": {"ru": "кому", "en": "to"},
    "channel": {"ru": "как", "en": "by"},
    "outcome": {"ru": "итог", "en": "outcome"},
}
"""A booking's columns, for its history."""


def changes(
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
    zone: tzinfo,
    language: Language,
    people: Mapping[int, str] | None = None,
) -> list[tuple[str, str, str]]:
    """Return what differs, as (name, before, after), "" for nothing; only columns that have words here.

    Times are in `zone`. `people`: display names by user id; a user without one is shown by id.
    """
    old, new = before or {}, after or {}

    def told(name: str, value: object) -> str:
        if name == "user_id" and isinstance(value, int):
            return (people or {}).get(value, f"№ {value}")
        return _value(name, value, zone, language)

    return [
        (word(CHANGED, name, language), told(name, old.get(name)), told(name, new.get(name)))
        for name in CHANGED
        if old.get(name) != new.get(name)
    ]


def _value(name: str, value: object, zone: tzinfo, language: Language) -> str:
    if value is None:
        return ""
    if name == "service_price" and isinstance(value, int):
        return money(value)
    if name == "points" and isinstance(value, int):
        return f"{value:+}".replace("-", "−")
    if isinstance(value, bool):
        return (_YES if value else _NO)[language]
    if name == "status":
        return word(STATES, str(value), language)
    if name == "message":
        return word(MESSAGES, str(value), language)
    if name == "channel":
        return word(CHANNELS, str(value), language)
    if name == "outcome":
        return _sent(str(value), language)
    if name == "matched_by":
        return word(MATCHED_BY, str(value), language)
    if name == "appointment_datetime":
        return _moment_of(str(value), zone, language)
    return str(value)


def _sent(outcome: str, language: Language) -> str:
    """Say what became of a message; a gateway's reason is shown unchanged."""
    known = _SENT.get(outcome.partition(";")[0])
    not_sent = _SENT["failed"][language]
    if known is None:
        return f"{not_sent}: {outcome}"
    return known[language] if outcome in ("sent", "waiting") else f"{not_sent}: {known[language]}"


def _moment_of(text: str, zone: tzinfo, language: Language) -> str:
    try:
        return moment(datetime.fromisoformat(text), zone, language)
    except ValueError:
        return text


_YES: Words = {"ru": "да", "en": "yes"}
_NO: Words = {"ru": "нет", "en": "no"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def word(words: Mapping[str, Words], name: str | None, language: Language) -> str:
    """Return the word for a stable name of ours; the name itself where there is none."""
    known = words.get(name or "")
    return known[language] if known else name or ""


_PAYMENT: Mapping[str, Words] = {
    "paid": {"ru": "оплачена полностью", "en": "paid in full"},
    "prepaid": {"ru": "предоплата онлайн", "en": "prepaid online"},
    "unpaid": {"ru": "не оплачена", "en": "not paid"},
}


def payment(paid: bool | None, prepaid: bool | None, language: Language) -> str:
    """Say whether a visit is paid for; "" where YCLIENTS does not say."""
    if paid is None and not prepaid:
        return ""
    return word(_PAYMENT, "paid" if paid else "prepaid" if prepaid else "unpaid", language)


def about(resource: str | None, resource_id: int | None, event: str | None, language: Language) -> str:
    """Say what a delivery is about: "запись 123, изменение"; "" where that could not be read."""
    what = word(RESOURCES, resource, language)
    named = f"{what}{NBSP}{resource_id}" if what and resource_id else what
    return ", ".join(part for part in (named, word(EVENTS, event, language)) if part)


def reason(text: str, language: Language) -> str:
    """Say why a delivery or a run failed, for people; the parser's message is for the API and the log."""
    if re.search("Expected `|[Oo]bject contains|Invalid value|JSON is malformed", text):
        return (
            "тело не такое, как мы знаем" if language == "ru" else "the body is not of the form that we know"
        )
    return reason_text(text, language)


def span(seconds: float, language: Language) -> str:
    """Format a duration as "45 с", "3 мин", "2 ч 5 мин", "4 дня": the longer, the coarser."""
    ru = language == "ru"
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole}{NBSP}{'с' if ru else 's'}"
    if whole < _HOUR:
        return f"{whole // _MINUTE}{NBSP}{'мин' if ru else 'min'}"
    if whole < _DAY:
        minutes = whole % _HOUR // _MINUTE
        rest = f" {minutes}{NBSP}{'мин' if ru else 'min'}" if minutes else ""
        return f"{whole // _HOUR}{NBSP}{'ч' if ru else 'h'}{rest}"
    return days(whole // _DAY, language)


def ago(at: datetime | None, now: datetime, language: Language) -> str:
    """Format a past time as "3 мин назад"; "ещё не было" for never."""
    if at is None:
        return "ещё не было" if language == "ru" else "never"
    text = span((now - at).total_seconds(), language)
    return f"{text} назад" if language == "ru" else f"{text} ago"


def moment(at: datetime | None, zone: tzinfo, language: Language) -> str:
    """Format a time as "03.12.2026 14:05" in `zone`; "" for none."""
    if at is None:
        return ""
    local = at.astimezone(zone)
    return f"{short_date(local, language)} {local:%H:%M}"


_HYPHEN = "\N{NON-BREAKING HYPHEN}"


def short_phone(phone: str | None) -> str:
    """Format a phone as "+7 916 …-45-67": recognisable, but not whole in a list that others may see."""
    if phone is None or len(phone) < 10:
        return phone or ""
    country, rest = phone[:-10], phone[-10:]
    return f"{country}{NBSP}{rest[:3]}{NBSP}…{_HYPHEN}{rest[6:8]}{_HYPHEN}{rest[8:]}"


def visits(number: int, language: Language) -> str:
    """Format a number of visits as "1 визит", "14 визитов"."""
    return count(number, ("визит", "визита", "визитов"), ("visit", "visits"), language)
