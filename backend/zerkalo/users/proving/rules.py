"""Codes and their limits, which account takes over which, and the messages. Pure, but for the source of randomness."""

import hmac
import random
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta

from zerkalo.auth.model import Limit
from zerkalo.kit.language import Language
from zerkalo.kit.look_alikes import HYPHENS
from zerkalo.outbox.model import Channel
from zerkalo.users.model import User
from zerkalo.users.proving.model import Aim

CODE_DIGITS = 6
CODE_SPAN = timedelta(minutes=10)
CODE_TRIES_MAX = 5
"""From one address."""
CODE_TRIES_IN_ALL_MAX = 30
SIGN_IN_AGAIN_SPAN = timedelta(minutes=1)
"""How long a code that signed somebody in does so again, because the first answer may have been lost."""
LINK_CHARS_MIN = 16
"""From this length on a code is the token of a mailed link: 192 bits, so that its tries need not be counted."""

# Five guesses a code and ten codes a day leave a stranger who claims somebody's address one chance in 20,000 a day.
REQUEST_OF_USER = Limit("code user", 1, timedelta(minutes=1))
REQUEST_OF_CONTACT = Limit("code contact", 1, timedelta(minutes=1))
REQUEST_OF_USER_A_DAY = Limit("code user day", 10, timedelta(days=1))
REQUEST_OF_CONTACT_A_DAY = Limit("code contact day", 10, timedelta(days=1))
REQUEST_OF_ADDRESS = Limit("code address", 30, timedelta(hours=1))
CODE_TRY_OF_ADDRESS = Limit("code try", CODE_TRIES_MAX, CODE_SPAN)
"""For one code, or for one contact that is named with it and that no user may have."""
NAMED_TRY_OF_ADDRESS = Limit("named try address", 50, timedelta(minutes=15))

_secure = random.SystemRandom()
_BETWEEN_DIGITS = re.compile(rf"[\s{HYPHENS}]+")


def new_proof_code(rng: random.Random = _secure) -> str:
    """Six digits, leading zeros too, from the machine's secure source unless a test supplies its own."""
    return "".join(rng.choices("0123456789", k=CODE_DIGITS))


def proof_digest(key: bytes, aim: Aim, code: str) -> bytes:
    """The digest that a code is stored as: keyed, because a million codes are tried in a second, and bound to its aim."""
    text = "|".join((aim.purpose, aim.contact.channel, str(aim.user_id), aim.contact.text, code))
    return hmac.digest(key, text.encode(errors="replace"), "sha256")


def kept_contact(key: bytes, aim: Aim) -> str:
    """The contact of a code as it is stored: in clear for a user, whose export shows it; else as a keyed digest."""
    if aim.user_id is not None:
        return aim.contact.text
    return hmac.digest(key, f"contact|{aim.contact.text}".encode(errors="replace"), "sha256").hex()


def link_token(key: bytes, *, code_id: int, contact: str) -> str:
    """The token of a mailed link: derived, so that it need not be stored; it expires with the code."""
    digest = hmac.digest(key, f"link|{code_id}|{contact}".encode(errors="replace"), "sha256")
    return urlsafe_b64encode(digest[:24]).decode()


def typed_code(text: str) -> str:
    """A code as it was sent: people type `073 986` and `073-986`. A link's token stays as it is."""
    return text if len(text) >= LINK_CHARS_MIN else _BETWEEN_DIGITS.sub("", text)


def is_opened_by(user: User, channel: Channel) -> bool:
    """Whether a code sent to this contact, which the user has proved, is enough to sign in.

    A phone number is given to somebody else when it lapses, so an SMS alone opens no account that has a password or
    a proved e-mail, and none of the staff's.
    """
    if channel is Channel.EMAIL:
        return True
    return not user.has_password and user.email_verified_at is None and user.role is None


def may_reset_by(user: User, channel: Channel) -> bool:
    """Whether a code sent to this contact may set a new password; a password is of no use without an e-mail."""
    return user.email is not None and is_opened_by(user, channel)


def same_digest(one: bytes, other: bytes) -> bool:
    """Whether two digests are equal, in constant time."""
    return hmac.compare_digest(one, other)


def account_taken_over(user: User, channel: Channel, holders: Sequence[User]) -> User | None:
    """The account without a password that `user` takes over by proving a contact which `holders` have proved.

    The same code would sign in to that account. None where there is no holder, several, one with a password or a role;
    and, by a phone, none with an e-mail: phones are shared in families and given to others when they lapse. That `user`
    claims the same e-mail does not matter, since anybody may. Phones of two countries that end alike are different.
    """
    if len(holders) != 1:
        return None
    (holder,) = holders
    if holder.has_password or holder.role is not None or holder.erased_at is not None:
        return None
    if channel is Channel.PHONE and (holder.email is not None or holder.phone != user.phone):
        return None
    return holder


def account_to_join(holders: Sequence[User]) -> User | None:
    """The account among `holders` that may be merged into another by its own password.

    None where there are several, and for the staff: one log-in would get the rights of two persons. A code is not enough:
    whoever is tricked into reading one out would lose the account.
    """
    if len(holders) != 1 or not holders[0].has_password or holders[0].role is not None:
        return None
    return holders[0]


_WHAT = {
    "verify": ("подтверждения", "to confirm your contact", "Код подтверждения", "Your confirmation code"),
    "reset": (
        "для нового пароля",
        "to set a new password",
        "Код для нового пароля",
        "Your code to set a new password",
    ),
    "enter": ("для входа", "to sign in", "Код для входа", "Your code to sign in"),
}
"""Purpose -> what the code is for in Russian and in English, and the subject of the mail in both."""


def code_message(
    language: Language, channel: Channel, purpose: str, code: str, link: str | None = None
) -> tuple[str, str]:
    """(subject, text) of the message that carries a code. An SMS is kept short: it is paid by length."""
    minutes = int(CODE_SPAN.total_seconds() // 60)
    what_ru, what_en, subject_ru, subject_en = _WHAT[purpose]
    if language == "en":
        if channel is Channel.PHONE:
            return "", f"{code} is your code {what_en}. Tell it to nobody."
        or_link = f"Or open this link: {link}\n\n" if link else ""
        return subject_en, (
            f"Your code {what_en}: {code}\n\n{or_link}"
            f"It holds for {minutes} minutes. Tell it to nobody.\n"
            "If you did not ask for it, nothing has to be done.\n"
        )
    if channel is Channel.PHONE:
        return "", f"{code} - ваш код {what_ru}. Никому его не сообщайте."
    or_link = f"Или откройте ссылку: {link}\n\n" if link else ""
    return subject_ru, (
        f"Ваш код {what_ru}: {code}\n\n{or_link}"
        f"Он действует {minutes} минут. Никому его не сообщайте.\n"
        "Если вы его не запрашивали, ничего делать не нужно.\n"
    )
