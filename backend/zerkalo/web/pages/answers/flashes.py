"""What a page says after a form was accepted, Russian first. Pure."""

import re
from collections.abc import Mapping

from zerkalo.kit.language import Language
from zerkalo.web.pages.wording import Words

FLASHES: Mapping[str, Words] = {
    "signed_out": {"ru": "Вы вышли.", "en": "You are signed out."},
    "registered": {
        "ru": "Готово, вы зарегистрированы. Ниже ваш код клиента.",
        "en": "Done, you have an account. Your client code is below.",
    },
    "accounts_joined": {
        "ru": "Аккаунты объединены, контакт подтверждён.",
        "en": "The accounts are joined, the contact is confirmed.",
    },
    "code_sent": {
        "ru": "Код отправлен. Он действует 10 минут.",
        "en": "A code is on its way. It is valid for 10 minutes.",
    },
    "proved": {
        "ru": "Контакт подтверждён. Если на него были записи, они уже здесь.",
        "en": "The contact is confirmed. Visits booked with it are here already.",
    },
    "password_changed": {
        "ru": "Пароль изменён. На других устройствах придётся войти снова.",
        "en": "The password is changed. Other devices have to sign in again.",
    },
    "password_reset": {
        "ru": "Пароль изменён. Войдите с новым.",
        "en": "The password is changed. Sign in with the new one.",
    },
    "profile_saved": {"ru": "Сохранено.", "en": "Saved."},
    "calendar_revoked": {
        "ru": "Ссылка на календарь больше не работает.",
        "en": "The calendar's address does not work any more.",
    },
    "erased": {
        "ru": "Ваши данные удалены. Спасибо, что были с нами.",
        "en": "Your data is erased. Thank you for having been with us.",
    },
    "cancelled": {"ru": "Запись отменена.", "en": "The booking is cancelled."},
    "moved": {"ru": "Запись перенесена.", "en": "The booking is moved."},
    "sync_begun": {"ru": "Синхронизация началась.", "en": "The sync has begun."},
    "absent_accepted": {
        "ru": "Удалённые в YCLIENTS записи отменяются: {count}.",
        "en": "Bookings that are gone in YCLIENTS are being cancelled: {count}.",
    },
    "nothing_absent": {
        "ru": "Решать больше нечего: эти записи уже отменяются, или страница устарела.",
        "en": "Nothing waits for your word: these bookings are being cancelled already, or the page is out of date.",
    },
    "codes_given": {"ru": "Коды выданы всем.", "en": "Everybody has a code now."},
    "linked": {"ru": "Запись привязана.", "en": "The booking is linked."},
    "card_linked": {"ru": "Визиты карточки привязаны.", "en": "The card’s visits are linked."},
    "card_unlinked": {"ru": "Карточка снова ничья.", "en": "The card is taken back."},
    "unlinked": {
        "ru": "Запись отвязана и останется без клиента, пока её не привяжут вручную.",
        "en": "The booking is unlinked, and stays without a client until it is linked by hand.",
    },
    "replayed": {"ru": "Событие принято.", "en": "The event was applied."},
    "replayed_in_vain": {
        "ru": "Событие снова не удалось понять, причина ниже.",
        "en": "The event could not be understood this time either; the reason is below.",
    },
    "quarantine_replayed": {
        "ru": "Повторили. Что осталось, снова не удалось понять.",
        "en": "Replayed. What is left could not be understood this time either.",
    },
    "quarantine_goes_on": {
        "ru": "Повторили сколько смогли за один раз. Нажмите ещё раз, чтобы продолжить.",
        "en": "As many were replayed as go in one turn. Press once more to continue.",
    },
    "set_aside": {"ru": "Событие убрано из карантина.", "en": "The event is out of the quarantine."},
    "role_given": {"ru": "Роль изменена.", "en": "The role is changed."},
    "invitation_revoked": {
        "ru": "Приглашение больше не действует.",
        "en": "The invitation does not work any more.",
    },
    "joined": {"ru": "Готово: вы в команде салона.", "en": "Done: you are one of the salon's staff."},
    "account_joined": {
        "ru": "Готово, это ваш кабинет. В следующий раз входите с этим e-mail и паролем.",
        "en": "Done, this is your account. Next time sign in with this e-mail and password.",
    },
    "points_back": {
        "ru": "Списание отменено, баллы вернулись.",
        "en": "The spending is undone, the points are back.",
    },
    "points_moved": {"ru": "Баллы записаны.", "en": "The points are written down."},
    "user_added": {"ru": "Клиент добавлен.", "en": "The client is added."},
    "merged": {
        "ru": "Аккаунты объединены. Сегодня это ещё можно отменить.",
        "en": "The accounts are merged. Today that can still be undone.",
    },
    "unmerged": {"ru": "Аккаунты снова разделены.", "en": "The accounts are parted again."},
    "claimed": {
        "ru": "Запись теперь в «Моих визитах».",
        "en": "The booking is among “My visits” now.",
    },
    "hook_installed": {"ru": "Адрес добавлен в YCLIENTS.", "en": "YCLIENTS has the address now."},
    "hook_tested": {
        "ru": "Тестовое событие дошло: адрес в YCLIENTS верный, и сервер виден снаружи.",
        "en": "The test event has arrived: the address in YCLIENTS is right, and the server can be reached.",
    },
    "hook_test_failed": {
        "ru": "Тестовое событие не дошло. Проверьте, что PUBLIC_URL открывается из интернета.",
        "en": "The test event did not arrive. See that PUBLIC_URL can be reached from the internet.",
    },
}
"""Texts by name: only the name is in the cookie, with the number for `{count}` where the text tells one."""

WARNINGS = frozenset({"replayed_in_vain", "hook_test_failed", "quarantine_goes_on", "nothing_absent"})
"""Texts shown as warnings."""

_COUNT = re.compile(r"[0-9]{1,9}")


def cookie_of(name: str, count: int | None = None) -> str:
    """The cookie that has the next page show a text; `count`: the number that the text tells."""
    assert name in FLASHES, "a text is ours"
    return name if count is None else f"{name}-{count}"


def flash_of(cookie: str | None, language: Language) -> tuple[str | None, str]:
    """(text, kind) that a cookie names; the text is None where it names none of ours as we would."""
    name, _, count = (cookie or "").partition("-")
    words = FLASHES.get(name)
    if words is None or bool(_COUNT.fullmatch(count)) != ("{count}" in words[language]):
        return None, "good"
    return words[language].replace("{count}", count), "warning" if name in WARNINGS else "good"
