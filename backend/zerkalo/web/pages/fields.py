"""Reads people's fields out of a form: the canonical value, or what is wrong with it, in their language."""

from collections.abc import Callable

from zerkalo.auth.rules import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN
from zerkalo.kit.contact import EMAIL_CHARS_MAX, canonical_email
from zerkalo.kit.phone import normalise_phone
from zerkalo.users.routes import NAME_CHARS_MAX
from zerkalo.web.pages.forms import Form

PHONE_CHARS_MAX = 64


class Fields:
    """One form being read: `errors` by field, and what was typed, to show it again."""

    def __init__(self, form: Form, say: Callable[[str, str], str]) -> None:
        self._form = form
        self._say = say
        self.errors: dict[str, str] = {}

    def email(self, name: str = "email", *, required: bool = True) -> str | None:
        """Return a canonical e-mail; None where the field is empty and may be."""
        text = self._form.text(name, EMAIL_CHARS_MAX + 1)
        if not text and not required:
            return None
        email = canonical_email(text)
        if email is None or "." not in email.rpartition("@")[2]:
            email = None
            self.refuse(
                name, "Введите e-mail, например anna@example.ru.", "Enter an e-mail, like anna@example.com."
            )
        return email

    def phone(self, name: str = "phone", *, required: bool = False) -> str | None:
        """Return a phone as E.164; None where the field is empty and may be."""
        text = self._form.text(name, PHONE_CHARS_MAX)
        if not text and not required:
            return None
        phone, _ = normalise_phone(text)
        if phone is None:
            self.refuse(
                name,
                "Введите номер телефона, например +7 999 123-45-67.",
                "Enter a phone number with its country code, like +7 999 123-45-67.",
            )
        return phone

    def name(self, name: str = "name") -> str:
        """Return a person's name; may be empty."""
        return " ".join(self._form.text(name, NAME_CHARS_MAX).split())

    def new_password(self, name: str = "password") -> str:
        """Return a new password; note an error where it is too short or too long."""
        password = self._form.raw(name)
        if len(password) < PASSWORD_CHARS_MIN:
            self.refuse(
                name,
                f"Нужно не меньше {PASSWORD_CHARS_MIN} знаков.",
                f"At least {PASSWORD_CHARS_MIN} characters are needed.",
            )
        elif len(password) > PASSWORD_CHARS_MAX:
            self.refuse(name, "Пароль слишком длинный.", "The password is too long.")
        return password

    def password(self, name: str = "password") -> str:
        """Return a password to compare, cut one character above the allowed length, so that a longer one never matches."""
        return self._form.raw(name)[: PASSWORD_CHARS_MAX + 1]

    def consent(self, name: str = "consent") -> None:
        """Check that the box is ticked."""
        if not self._form.text(name):
            self.refuse(name, "Без согласия не получится.", "This needs your consent.")

    def refuse(self, name: str, ru: str, en: str) -> None:
        """Note what is wrong with a field; keep the first reason."""
        self.errors.setdefault(name, self._say(ru, en))
