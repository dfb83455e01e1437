"""Tokens of invitations, how long they are valid, and their messages. Pure."""

import hashlib
import secrets
from datetime import timedelta

from zerkalo.auth.model import Role
from zerkalo.kit.language import Language

INVITATION_SPAN = timedelta(days=7)
TOKEN_BYTES = 32

_ROLES = {
    Role.OWNER: ("владелец", "owner"),
    Role.RECEPTIONIST: ("администратор", "receptionist"),
    Role.READ_ONLY: ("только просмотр", "read-only"),
}


def new_token() -> str:
    """A token nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """The digest that is stored of a token, which has 256 random bits and needs no salt."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def staff_invitation(language: Language, role: Role, link: str) -> tuple[str, str]:
    """(subject, text) of the mail that invites somebody to the staff."""
    ru, en = _ROLES[role]
    if language == "en":
        return "You are invited to the salon's staff", (
            f"The salon's owner invites you to work in its system. Your role: {en}.\n\n"
            f"Open this link and sign in:\n{link}\n\nIt works once, for seven days.\n"
        )
    return "Приглашение сотрудника", (
        f"Владелец салона приглашает вас работать в системе салона. Ваша роль: {ru}.\n\n"
        f"Откройте ссылку и войдите:\n{link}\n\nОна сработает один раз, в течение семи дней.\n"
    )


def client_invitation(language: Language, link: str) -> tuple[str, str]:
    """(subject, text) of the message that invites a client to their account; short enough for an SMS."""
    if language == "en":
        return "Your account at the salon", f"Your visits and points: {link} (works once, for seven days)"
    return "Ваш кабинет в салоне", f"Ваши визиты и баллы: {link} (ссылка на один раз, семь дней)"
