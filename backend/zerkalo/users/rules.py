"""Notices to the owner of an account. Pure."""

from datetime import timedelta
from enum import StrEnum

from zerkalo.kit.language import Language

NOTICE_SPAN = timedelta(days=2)
"""How long a notice without a code is worth sending."""


class Notice(StrEnum):
    """An event that the owner of an account is notified of, by the contacts proved before."""

    CONTACT_CHANGED = "contact_changed"
    CONTACT_PROVED = "contact_proved"
    CONTACT_LOST = "contact_lost"
    EMAIL_LOST = "email_lost"
    SIGN_IN_BY_SMS = "sign_in_by_sms"
    JOINED = "joined"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - an event, no password
    PASSWORD_SET = "password_set"  # noqa: S105 - an event, no password
    ROLE_CHANGED = "role_changed"


_RUSSIAN = {
    Notice.CONTACT_CHANGED: ("Контакт изменён", "В вашем аккаунте изменён e-mail или телефон."),
    Notice.CONTACT_PROVED: ("Контакт подтверждён", "В вашем аккаунте подтверждён новый e-mail или телефон."),
    Notice.CONTACT_LOST: (
        "Контакт больше не ваш",
        "Ваш e-mail или телефон подтвердил другой человек. В вашем аккаунте он больше не подтверждён.",
    ),
    Notice.EMAIL_LOST: (
        "E-mail больше не ваш",
        "E-mail вашего аккаунта подтвердил другой человек, войти с ним больше нельзя. Укажите другой в кабинете.",
    ),
    Notice.SIGN_IN_BY_SMS: (
        "Вход теперь по SMS",
        "E-mail вашего аккаунта подтвердил другой человек. Теперь входите без пароля, по коду на этот телефон.",
    ),
    Notice.JOINED: (
        "Аккаунты объединены",
        "Ваш аккаунт объединён с другим вашим: визиты и баллы теперь там, входить нужно туда.",
    ),
    Notice.PASSWORD_RESET: ("Пароль изменён", "Для вашего аккаунта задан новый пароль по коду."),
    Notice.PASSWORD_SET: ("Задан пароль", "Для вашего аккаунта задан пароль по приглашению салона."),
    Notice.ROLE_CHANGED: (
        "Роль сотрудника изменена",
        "В системе салона изменена роль сотрудника. Кто и когда: раздел «Действия».",
    ),
}
_ENGLISH = {
    Notice.CONTACT_CHANGED: ("A contact was changed", "The e-mail or the phone of your account was changed."),
    Notice.CONTACT_PROVED: (
        "A contact was confirmed",
        "A new e-mail or phone was confirmed in your account.",
    ),
    Notice.CONTACT_LOST: (
        "A contact is no longer yours",
        "Somebody else has confirmed your e-mail or phone. In your account it is not confirmed any more.",
    ),
    Notice.EMAIL_LOST: (
        "The e-mail is no longer yours",
        "Somebody else has confirmed the e-mail of your account: it signs you in no more. Enter another in your account.",
    ),
    Notice.SIGN_IN_BY_SMS: (
        "Sign in by SMS now",
        "Somebody else has confirmed the e-mail of your account. Sign in without a password, by a code to this phone.",
    ),
    Notice.JOINED: (
        "Accounts were joined",
        "Your account was joined to another one of yours: visits and points are there now; sign in to that one.",
    ),
    Notice.PASSWORD_RESET: (
        "Your password was changed",
        "A new password was set for your account by a code.",
    ),
    Notice.PASSWORD_SET: (
        "A password was set",
        "A password was set for your account by the salon's invitation.",
    ),
    Notice.ROLE_CHANGED: (
        "A role was changed",
        "A role of the salon's staff was changed. Who did it and when: see “What staff did”.",
    ),
}


def notice_message(language: Language, notice: Notice) -> tuple[str, str]:
    """(subject, text) of a notice; short enough for an SMS."""
    if language == "en":
        subject, text = _ENGLISH[notice]
        return subject, f"{text}\nIf that was not you, ask the salon to help at once.\n"
    subject, text = _RUSSIAN[notice]
    return subject, f"{text}\nЕсли это сделали не вы, сразу обратитесь в салон.\n"
