"""What a proof is made of, who takes over whom, and what people are told. Pure, but for the source of chance."""

import hmac
import json
import random
import re
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, cast

from zerkalo.auth.model import Limit
from zerkalo.kit.language import Language
from zerkalo.kit.look_alikes import HYPHENS, as_latin
from zerkalo.kit.phone import normalise_phone
from zerkalo.outbox.model import Channel
from zerkalo.users.model import User

CODE_DIGITS = 6
CODE_SPAN = timedelta(minutes=10)
CODE_TRIES_MAX = 5
NOTICE_SPAN = timedelta(days=2)
"""How long a notice without a code is worth sending."""

# Five guesses a code and ten codes a day leave a stranger who claims somebody's address one chance in 20,000 a day.
REQUEST_OF_USER = Limit("code user", 1, timedelta(minutes=1))
REQUEST_OF_CONTACT = Limit("code contact", 1, timedelta(minutes=1))
REQUEST_OF_USER_A_DAY = Limit("code user day", 10, timedelta(days=1))
REQUEST_OF_CONTACT_A_DAY = Limit("code contact day", 10, timedelta(days=1))
REQUEST_OF_ADDRESS = Limit("code address", 30, timedelta(hours=1))
RESET_TRY_OF_CONTACT = Limit("reset try", CODE_TRIES_MAX, CODE_SPAN)
RESET_TRY_OF_ADDRESS = Limit("reset try address", 50, timedelta(minutes=15))
PASSWORD_TRY_OF_USER = Limit("password try", 10, timedelta(minutes=15))

_secure = random.SystemRandom()


def new_proof_code(rng: random.Random = _secure) -> str:
    """Six digits, leading zeros too, from the machine's secure source unless a test hands in its own."""
    return "".join(rng.choices("0123456789", k=CODE_DIGITS))


def proof_digest(
    key: bytes, *, user_id: int, purpose: str, channel: Channel, contact: str, code: str
) -> bytes:
    """How a code is stored: keyed, since a million codes are tried in a second, and bound to what it proves."""
    text = "|".join((purpose, channel, str(user_id), contact, code))
    return hmac.digest(key, text.encode(errors="replace"), "sha256")


def same_digest(one: bytes, other: bytes) -> bool:
    """Whether two digests are equal, in constant time."""
    return hmac.compare_digest(one, other)


def account_taken_over(user: User, channel: Channel, holders: Sequence[User]) -> User | None:
    """The imported account that `user` takes over by proving a contact which these others have proved.

    None where there is nobody, or nobody who may be taken over: an account that somebody signs in to or an admin's
    is never; of several holders nobody knows which; and one that was imported with an e-mail is not taken by a phone,
    for a phone is shared in a family and given to the next when it lapses. That `user` says the e-mail is hers too
    counts for nothing: anybody may say so. Phones that only end alike, in two countries, are two people's.
    """
    if len(holders) != 1:
        return None
    (holder,) = holders
    if holder.has_password or holder.is_admin or holder.erased_at is not None:
        return None
    if channel is Channel.PHONE and (holder.email is not None or holder.phone != user.phone):
        return None
    return holder


def code_message(language: Language, channel: Channel, purpose: str, code: str) -> tuple[str, str]:
    """(subject, text) of the message that carries a code. An SMS is kept short: it is paid by length."""
    minutes = int(CODE_SPAN.total_seconds() // 60)
    if language == "en":
        what = "to set a new password" if purpose == "reset" else "to confirm your contact"
        if channel is Channel.PHONE:
            return "", f"{code} is your code {what}. Tell it to nobody."
        subject = "Your code to set a new password" if purpose == "reset" else "Your confirmation code"
        return subject, (
            f"Your code {what}: {code}\n\n"
            f"It holds for {minutes} minutes. Tell it to nobody.\n"
            "If you did not ask for it, nothing has to be done.\n"
        )
    what = "для нового пароля" if purpose == "reset" else "подтверждения"
    if channel is Channel.PHONE:
        return "", f"{code} - ваш код {what}. Никому его не сообщайте."
    subject = "Код для нового пароля" if purpose == "reset" else "Код подтверждения"
    return subject, (
        f"Ваш код {what}: {code}\n\n"
        f"Он действует {minutes} минут. Никому его не сообщайте.\n"
        "Если вы его не запрашивали, ничего делать не нужно.\n"
    )


def email_changed_message(language: Language) -> tuple[str, str]:
    """(subject, text) for the proved e-mail that somebody has just replaced by another one."""
    if language == "en":
        return "Your e-mail was changed", (
            "The e-mail of your account was replaced by another one.\n"
            "If that was not you, ask the salon to help at once.\n"
        )
    return "Ваш e-mail изменён", (
        "В вашем аккаунте указан другой e-mail.\nЕсли это сделали не вы, сразу обратитесь в салон.\n"
    )


def client_id_in(text: str | bytes) -> int | None:
    """YCLIENTS's number of the client whom a raw record, or a webhook about one, names; None where none is readable."""
    try:
        told: Any = json.loads(text)
        client_id: Any = told.get("data", told)["client"]["id"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return client_id if isinstance(client_id, int) and 0 < client_id < 2**63 else None


def card_is_of(body: str, *, email: str | None, phone10: str | None) -> bool:
    """Whether a webhook about a client's card carries one of these contacts (lower case, last ten digits)."""
    try:
        told: Any = json.loads(body)["data"]
        named_email, named_phone = str(told.get("email") or ""), str(told.get("phone") or "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False
    return (email is not None and named_email.strip().lower() == email) or (
        phone10 is not None and normalise_phone(named_phone)[1] == phone10
    )


# From the first backslash of a row on: a body may be a megabyte of them, and is read once.
_ESCAPED = re.compile(r"(?<!\\)\\+u([0-9a-fA-F]{4})")
_ESCAPED_SPACE = re.compile(r"(?<!\\)\\+[nrt]")


def names_code(body: bytes, codes: Collection[str]) -> bool:
    """Whether any of these codes stands in a body, in whichever spelling we would know it by, JSON or not.

    With or without «Код клиента» before it, so that nothing of what names her is missed for a slip of the pen.
    """
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), body.decode(errors="replace"))
    latin = as_latin(_ESCAPED_SPACE.sub(" ", text))
    between = rf"[\s{HYPHENS}]{{0,2}}"
    patterns = (
        (r"(?<![0-9])" if code[0].isdigit() else "") + between.join(code) + "(?![A-Z0-9])" for code in codes
    )
    return any(re.search(pattern, latin) for pattern in patterns)


def body_is_of(body: str, *, email: str | None, phone10: str | None, comment: str) -> bool:
    """Whether a webhook's body names this client, whole, and has this comment. What it leaves out contradicts nothing.

    `email` in lower case, `phone10` the last ten digits; None: the client has none, and the body must name none.
    """
    try:
        told: Any = json.loads(body)
        record = told["data"]
        if not isinstance(record, dict):
            return isinstance(record, list) and not record  # a bare event: it names nobody
        fields = cast("dict[str, Any]", record)
        client: dict[str, Any] = fields.get("client") or {}
        named_email, named_phone = str(client.get("email") or ""), str(client.get("phone") or "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False
    same_client = "client" not in fields or (
        named_email.strip().lower() or None,
        normalise_phone(named_phone)[1],
    ) == (email, phone10)
    return same_client and (
        "comment" not in fields or str(fields["comment"] or "").strip() == comment.strip()
    )
