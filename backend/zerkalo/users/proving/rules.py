"""What a proof is made of, who takes over whom, and what people are told. Pure, but for the source of chance."""

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
"""For so long a code that signed somebody in does so again, where the answer was lost, as a refresh token does it."""
LINK_CHARS_MIN = 16
"""What is as long is no typed code but the token of a mailed link: 192 bits, whose tries need not be counted."""

# Five guesses a code and ten codes a day leave a stranger who claims somebody's address one chance in 20,000 a day.
REQUEST_OF_USER = Limit("code user", 1, timedelta(minutes=1))
REQUEST_OF_CONTACT = Limit("code contact", 1, timedelta(minutes=1))
REQUEST_OF_USER_A_DAY = Limit("code user day", 10, timedelta(days=1))
REQUEST_OF_CONTACT_A_DAY = Limit("code contact day", 10, timedelta(days=1))
REQUEST_OF_ADDRESS = Limit("code address", 30, timedelta(hours=1))
CODE_TRY_OF_ADDRESS = Limit("code try", CODE_TRIES_MAX, CODE_SPAN)
"""Of one code, or of one contact that is named with it, which may be no user's."""
NAMED_TRY_OF_ADDRESS = Limit("named try address", 50, timedelta(minutes=15))

_secure = random.SystemRandom()
_BETWEEN_DIGITS = re.compile(rf"[\s{HYPHENS}]+")


def new_proof_code(rng: random.Random = _secure) -> str:
    """Six digits, leading zeros too, from the machine's secure source unless a test hands in its own."""
    return "".join(rng.choices("0123456789", k=CODE_DIGITS))


def proof_digest(key: bytes, aim: Aim, code: str) -> bytes:
    """How a code is stored: keyed, since a million codes are tried in a second, and bound to what it proves."""
    text = "|".join((aim.purpose, aim.contact.channel, str(aim.user_id), aim.contact.text, code))
    return hmac.digest(key, text.encode(errors="replace"), "sha256")


def kept_contact(key: bytes, aim: Aim) -> str:
    """How the contact of a code is stored: of a user in clear, so that they see it; of whoever asks, as a keyed digest."""
    if aim.user_id is not None:
        return aim.contact.text
    return hmac.digest(key, f"contact|{aim.contact.text}".encode(errors="replace"), "sha256").hex()


def link_token(key: bytes, *, code_id: int, contact: str) -> str:
    """What a mailed link carries in a code's stead: derived, so that it need not be kept; ends with the code."""
    digest = hmac.digest(key, f"link|{code_id}|{contact}".encode(errors="replace"), "sha256")
    return urlsafe_b64encode(digest[:24]).decode()


def typed_code(text: str) -> str:
    """A code as it was sent: people type `073 986` and `073-986`. A link's token stays as it is."""
    return text if len(text) >= LINK_CHARS_MIN else _BETWEEN_DIGITS.sub("", text)


def is_opened_by(user: User, channel: Channel) -> bool:
    """Whether a code sent to this contact, which the user has proved, is enough to be let in.

    A phone number is given to somebody else when it lapses, so an SMS alone opens no account that has a password or
    a proved e-mail, and none of the staff's.
    """
    if channel is Channel.EMAIL:
        return True
    return not user.has_password and user.email_verified_at is None and user.role is None


def may_reset_by(user: User, channel: Channel) -> bool:
    """Whether a new password may be set by a proof of this contact; who has no e-mail has nothing to sign in with."""
    return user.email is not None and is_opened_by(user, channel)


def same_digest(one: bytes, other: bytes) -> bool:
    """Whether two digests are equal, in constant time."""
    return hmac.compare_digest(one, other)


def account_taken_over(user: User, channel: Channel, holders: Sequence[User]) -> User | None:
    """The imported account that `user` takes over by proving a contact which these others have proved.

    None where there is nobody, or nobody who may be taken over: an account that somebody signs in to or one of the
    staff's is never; of several holders nobody knows which; and one that was imported with an e-mail is not taken by a phone,
    for a phone is shared in a family and given to the next when it lapses. That `user` says the e-mail is theirs too
    counts for nothing: anybody may say so. Phones that only end alike, in two countries, are two people's.
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
    """The account that may be merged into another by its own password, of those who have proved the contact.

    None where nobody knows which, and for one of the staff's: that would make one log-in of two persons' rights. A code
    is never enough: whoever is talked into reading one out would lose the account with it.
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
"""Purpose -> what the code is for, and the subject of the mail: in Russian, in English."""


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
