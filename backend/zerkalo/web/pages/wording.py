"""How things are said to people, Russian first: money, times, counts, and what went wrong. Pure."""

from collections.abc import Mapping
from datetime import date

from zerkalo.kit.language import Language

Words = Mapping[Language, str]

NBSP = "\N{NO-BREAK SPACE}"

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
    """In words: "среда, 3 декабря"; with the year where it is not `today`'s. The zone is the moment's own."""
    weekday = _WEEKDAYS[language][moment.weekday()]
    month = _MONTHS[language][moment.month - 1]
    year = f" {moment.year}" if today is None or today.year != moment.year else ""
    return f"{weekday}, {moment.day}{NBSP}{month}{year}"


def short_date(moment: date, language: Language) -> str:
    """03.12.2026, in English 3 Dec 2026."""
    if language == "ru":
        return f"{moment:%d.%m.%Y}"
    return f"{moment.day} {_MONTHS['en'][moment.month - 1][:3]} {moment.year}"


def month_title(year: int, month: int, language: Language) -> str:
    """As "Декабрь 2026", the head of a calendar's month."""
    name = _MONTHS_ALONE_RU[month - 1] if language == "ru" else _MONTHS["en"][month - 1]
    return f"{name} {year}"


def money(kopecks: int) -> str:
    """As "2 500 ₽", "2 990,50 ₽"; spaces that don't break."""
    sign = "-" if kopecks < 0 else ""
    roubles, rest = divmod(abs(kopecks), 100)
    grouped = f"{roubles:,}".replace(",", NBSP)
    return f"{sign}{grouped}{f',{rest:02}' if rest else ''}{NBSP}₽"


def money_range(low: int, high: int) -> str:
    """As "2 500–3 500 ₽", in kopecks too."""
    return f"{money(low).removesuffix(f'{NBSP}₽')}–{money(high)}"


def duration(minutes: int, language: Language) -> str:
    """As "1 ч 30 мин"; "" for none."""
    hours, rest = divmod(max(0, minutes), 60)
    hour, minute = ("ч", "мин") if language == "ru" else ("h", "min")
    parts = [f"{hours}{NBSP}{hour}" if hours else "", f"{rest}{NBSP}{minute}" if rest else ""]
    return " ".join(part for part in parts if part)


def count(number: int, ru: tuple[str, str, str], en: tuple[str, str], language: Language) -> str:
    """As "1 балл", "2 балла", "5 баллов", "1 point", "2 points": the number with the form it takes."""
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


def points(number: int, language: Language) -> str:
    """Points of the ledger with their word."""
    return count(number, ("балл", "балла", "баллов"), ("point", "points"), language)


def days(number: int, language: Language) -> str:
    """As "1 день", "30 дней"."""
    return count(number, ("день", "дня", "дней"), ("day", "days"), language)


def number(value: int) -> str:
    """As "1 234 567", with spaces that don't break."""
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
    """How a booking stands, for the person whose it is. `is_past`: a visit that the salon has not marked is not awaited."""
    if is_past and status in ("PENDING", "CONFIRMED"):
        return PAST[language]
    if status == "CANCELLED" and cancel_reason == "no_show":
        return NO_SHOW[language]
    words = STATUSES.get(status)
    return words[language] if words else status


FLASHES: dict[str, Words] = {
    "signed_out": {"ru": "Вы вышли.", "en": "You are signed out."},
    "registered": {
        "ru": "Готово, вы зарегистрированы. Ниже ваш код клиента.",
        "en": "Done, you have an account. Your client code is below.",
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
}
"""What a page tells after a form was done: the name travels in a cookie, the text is ours. Modules add their own."""

WARNINGS: set[str] = set()
"""Those among them that tell of something that did not go well. Modules add their own."""

PROBLEMS: dict[str, Words] = {
    "not_found": {"ru": "Такой страницы нет.", "en": "There is no such page."},
    "admins_only": {
        "ru": "Эта страница только для сотрудников салона.",
        "en": "This page is for the salon's staff only.",
    },
    "stale_form": {
        "ru": "Форма устарела. Откройте страницу ещё раз и повторите. Если не помогает, разрешите cookie и проверьте, "
        "что адрес начинается с https.",
        "en": "The form is out of date. Open the page again and repeat. If that does not help, allow cookies and check "
        "that the address begins with https.",
    },
    "no_such_contact": {
        "ru": "Введите e-mail или номер телефона.",
        "en": "Enter an e-mail or a phone number.",
    },
    "wrong_credentials": {
        "ru": "E-mail или пароль не подходит.",
        "en": "The e-mail or the password is wrong.",
    },
    "wrong_password": {"ru": "Пароль не подходит.", "en": "The password is wrong."},
    "wrong_code": {
        "ru": "Код не подошёл или устарел. Проверьте его или запросите новый.",
        "en": "The code is wrong or has expired. Check it, or ask for a new one.",
    },
    "contact_taken": {
        "ru": "Этот контакт уже подтвердил другой человек. Если оба аккаунта ваши, обратитесь в салон.",
        "en": "Somebody else has confirmed this contact. If both accounts are yours, ask the salon.",
    },
    "already_verified": {"ru": "Этот контакт уже подтверждён.", "en": "This contact is confirmed already."},
    "no_contact": {"ru": "Сначала укажите этот контакт.", "en": "Enter this contact first."},
    "channel_unavailable": {
        "ru": "Салон ещё не настроил отправку кодов. Обратитесь в салон.",
        "en": "The salon can't send codes yet. Ask the salon.",
    },
    "yclients_disabled": {"ru": "Онлайн-запись сейчас отключена.", "en": "Online booking is turned off."},
    "yclients_refuses": {
        "ru": "Онлайн-запись салона сейчас недоступна.",
        "en": "The salon's online booking is not available now.",
    },
    "yclients_unavailable": {
        "ru": "YCLIENTS сейчас не отвечает. Ничего не записано и не изменено.",
        "en": "YCLIENTS does not answer now. Nothing was booked or changed.",
    },
    "busy": {
        "ru": "Сейчас слишком много желающих. Попробуйте через несколько секунд.",
        "en": "Many people are looking for times just now. Try again in a few seconds.",
    },
    "booking_unclear": {
        "ru": "YCLIENTS не ответил, и пока не ясно, получилось ли.",
        "en": "YCLIENTS did not answer, so it is not clear yet whether it worked.",
    },
    "booking_in_progress": {
        "ru": "Эта запись ещё оформляется. Подождите несколько секунд.",
        "en": "This booking is still under way. Wait a few seconds.",
    },
    "idempotency_key_reused": {
        "ru": "Эта форма уже была отправлена. Проверьте данные и отправьте ещё раз.",
        "en": "This form was sent before. Check the details and send it again.",
    },
    "slot_taken": {
        "ru": "Это время только что заняли. Выберите другое, всё введённое сохранено.",
        "en": "This time has just been taken. Choose another one; what you typed is kept.",
    },
    "no_staff": {
        "ru": "В это время никто не свободен. Выберите другое, всё введённое сохранено.",
        "en": "Nobody is free at this time. Choose another one; what you typed is kept.",
    },
    "overlap": {
        "ru": "Это время пересекается с другой записью. Выберите другое, всё введённое сохранено.",
        "en": "This time overlaps with another booking. Choose another one; what you typed is kept.",
    },
    "time_not_ahead": {
        "ru": "Это время уже прошло. Выберите другое, всё введённое сохранено.",
        "en": "This time is over. Choose another one; what you typed is kept.",
    },
    "service_gone": {
        "ru": "Эту услугу сейчас нельзя выбрать. Начните выбор заново.",
        "en": "This service can't be booked now. Start choosing again.",
    },
    "service_missing": {
        "ru": "Отметьте хотя бы одну услугу.",
        "en": "Tick at least one service.",
    },
    "company_unknown": {"ru": "Такого филиала нет.", "en": "There is no such branch."},
    "company_missing": {"ru": "Выберите филиал.", "en": "Choose a branch."},
    "phone_invalid": {
        "ru": "Салон не может принять этот номер.",
        "en": "The salon can't take this phone number.",
    },
    "phone_missing": {"ru": "Введите номер телефона.", "en": "Enter your phone number."},
    "email_invalid": {"ru": "Проверьте e-mail.", "en": "Please check the e-mail."},
    "name_missing": {
        "ru": "Салон не принял такое имя. Введите его полностью.",
        "en": "The salon does not take this name. Enter it in full.",
    },
    "consent_missing": {
        "ru": "Салону нужно ваше согласие на обработку данных.",
        "en": "The salon needs your consent.",
    },
    "code_wrong": {"ru": "Код из SMS не подошёл.", "en": "The code from the SMS is wrong."},
    "blacklisted": {
        "ru": "На этот номер онлайн-запись закрыта. Позвоните в салон.",
        "en": "The salon takes no online bookings for this phone. Call the salon.",
    },
    "not_allowed_by_salon": {
        "ru": "Салон не разрешает это сделать онлайн. Позвоните в салон.",
        "en": "The salon does not allow this online. Call the salon.",
    },
    "already_cancelled": {"ru": "Эта запись уже отменена.", "en": "This booking is cancelled already."},
    "already_past": {"ru": "Визит уже начался или прошёл.", "en": "This visit has begun or is over."},
    "invalid_request": {"ru": "Что-то введено неверно.", "en": "Something was entered wrong."},
    "invalid_cursor": {"ru": "Такой страницы нет.", "en": "There is no such page."},
    "too_many_requests": {
        "ru": "Слишком много попыток. Подождите немного.",
        "en": "Too many attempts. Wait a little.",
    },
    "too_large": {"ru": "Слишком много текста.", "en": "That is too much text."},
    "method_not_allowed": {"ru": "Так эту страницу не открыть.", "en": "This page can't be opened this way."},
    "database_unavailable": {
        "ru": "База данных не отвечает. Попробуйте через несколько секунд.",
        "en": "The database does not answer. Try again in a few seconds.",
    },
    "internal_error": {
        "ru": "У нас что-то сломалось. Мы уже знаем об этом.",
        "en": "Something went wrong on our side. It has been logged.",
    },
}
"""What went wrong, by the stable `code` of the problem. Modules add their own."""

_OTHER: Words = {"ru": "Не получилось.", "en": "Something went wrong."}


def problem_text(code: str, language: Language) -> str:
    """The sentence for a person; the problem's own `detail` is for programmers."""
    return PROBLEMS.get(code, _OTHER)[language]
