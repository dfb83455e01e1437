"""Readers of YCLIENTS's single values: accepted forms and bounds, so that a parsed value never fails in SQL.

Every reader takes a value as msgspec decodes it (with `number_from_text` as its float hook, so that no number
passes through a binary float) and returns ours, or raises `FieldError` with a short text without content.
"""

import html
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from zerkalo.kit.contact import comparable_email

ID_MAX = 2**63 - 1
ROUBLES_MAX = 10**9
MONEY_DECIMALS_MAX = 40
MONEY_CHARACTERS_MAX = 60
AMOUNT_MAX = 10**4
SERVICES_MAX = 1000
TEXT_CHARACTERS_MAX = 20_000
_BLOCK = re.compile(r"</?(?:br|p|div|li|ul|ol|h[1-6]|tr|td)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
EMAIL_CHARACTERS_MAX = 320
PHONE_CHARACTERS_MAX = 64
YEAR_MIN, YEAR_MAX = 1970, 2200
EPOCH_SECONDS_MAX = 2**33
MOMENT_CHARACTERS_MIN = len("2026-12-03 15:30")  # a day alone would put the visit at midnight
DURATION_SECONDS_MAX = 10 * 24 * 60 * 60
ATTENDANCE_MAX = 2**31 - 1
ATTENDANCE_UNKNOWN = ATTENDANCE_MAX
"""Stands for an attendance that is not even a number."""

_WHOLE = re.compile(r"([+-]?[0-9]{1,19})(?:\.0{1,6})?")
_MONEY = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_SPACES = re.compile(r"[\s']+")
_PERHAPS_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3},[0-9]{3}")
_NOT_A_NUMBER = Decimal("NaN")
_FLAGS: dict[Any, bool] = {0: False, 1: True, "0": False, "1": True, "": False, "false": False, "true": True}


class FieldError(ValueError):
    """An invalid value; the message says what was expected, never what was there."""


def number_from_text(text: str) -> Decimal:
    """Return a JSON number with a point or an exponent, exact; NaN where not even Decimal can hold it."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return _NOT_A_NUMBER


def whole(value: Any, low: int, high: int) -> int:
    """Return a whole number from an int, a numeric string or a decimal, the latter two without a fraction."""
    number = value if type(value) is int else _whole_from_odd(value)
    if not low <= number <= high:
        raise FieldError("out of bounds")
    return number


def _whole_from_odd(value: Any) -> int:
    if isinstance(value, str) and (digits := _WHOLE.fullmatch(value.strip())):
        return int(digits.group(1))
    # adjusted() first: to write 1e400000 out in digits would take a while.
    if (
        isinstance(value, Decimal)
        and value.is_finite()
        and abs(value.adjusted()) < 20
        and value == int(value)
    ):
        return int(value)
    raise FieldError("not a whole number")


def identifier(value: Any) -> int:
    """Return an id that a bigint column holds; YCLIENTS sends some as strings."""
    return whole(value, 1, ID_MAX)


def identifier_or_zero(value: Any) -> int:
    """Return an id, or 0 where YCLIENTS means none."""
    return whole(value, 0, ID_MAX)


def identifier_or_none(value: Any) -> int | None:
    """Return an id, or None for anything else."""
    try:
        return identifier(value)
    except FieldError:
        return None


def duration(value: Any) -> int:
    """Return how long a visit is, in seconds."""
    return whole(value, 0, DURATION_SECONDS_MAX)


def attendance(value: Any) -> int:
    """Return an attendance code, also an unlisted one; an invalid number becomes ATTENDANCE_UNKNOWN, not an error."""
    try:
        return whole(value, -ATTENDANCE_MAX, ATTENDANCE_MAX)
    except FieldError:
        return ATTENDANCE_UNKNOWN


def amount(value: Any) -> int:
    """Return how many of a service there are: null, "" and 0 count as 1."""
    return 1 if value is None or value == "" else whole(value, 0, AMOUNT_MAX) or 1


def money(value: Any) -> Decimal | None:
    """Return roubles (or a percent), exact; None for null and "".

    Strings may have spaces between the thousands and a decimal comma. "1,800" is refused: it may be 1.8 or 1800.
    """
    if type(value) is int:
        if -ROUBLES_MAX <= value <= ROUBLES_MAX:
            return Decimal(value)
        raise FieldError("out of bounds")
    number = _money_from_text(value) if isinstance(value, str) else value
    if number is None:
        return None
    if not isinstance(number, Decimal) or not number.is_finite():
        raise FieldError("not an amount of money")
    if number.adjusted() > 18 or not -ROUBLES_MAX <= number <= ROUBLES_MAX:
        raise FieldError("out of bounds")
    if int(number.as_tuple().exponent) < -MONEY_DECIMALS_MAX:
        raise FieldError("too many decimals")
    return number


def _money_from_text(written: str) -> Decimal | None:
    text = _SPACES.sub("", written[: MONEY_CHARACTERS_MAX + 1])
    if not text:
        return None
    if len(text) > MONEY_CHARACTERS_MAX or _PERHAPS_THOUSANDS.fullmatch(text):
        raise FieldError("not an amount of money")
    comma, point = text.rfind(","), text.rfind(".")
    if comma > point:  # 1.800,50
        text = text.replace(".", "").replace(",", ".")
    elif comma >= 0:  # 1,800.50
        text = text.replace(",", "")
    if not _MONEY.fullmatch(text):
        raise FieldError("not an amount of money")
    return Decimal(text)


def flag(value: Any) -> bool:
    """Return a yes or no: true, false, 0, 1, and the same as strings; "" is PHP's false."""
    if value is True or value is False:
        return value
    if isinstance(value, str):
        value = value.strip().lower()
    if isinstance(value, (int, str)) and value in _FLAGS:
        return _FLAGS[value]
    raise FieldError("neither true nor false")


def text(value: Any) -> str:
    """Return text, cut to TEXT_CHARACTERS_MAX; null and PHP's empty array are "", numbers their digits."""
    if isinstance(value, str):
        return value if len(value) <= TEXT_CHARACTERS_MAX else value[:TEXT_CHARACTERS_MAX]
    if value is None or value in ([], {}):
        return ""
    if type(value) is int or isinstance(value, Decimal):
        return str(value)
    raise FieldError("not text")


def title(value: Any) -> str:
    """Return a title or a name as people read it: stripped, HTML's entities (`&quot;`) decoded once.

    Some titles have them, presumably from a vendor's page that escapes twice (a guess, not documented).
    """
    return html.unescape(text(value)).strip()[:TEXT_CHARACTERS_MAX]


def plain_text(value: Any) -> str:
    """Return the text of HTML on one line; "" for a value that is no text. Not sanitised: escape it before display."""
    if not isinstance(value, str):
        return ""
    without_tags = _TAG.sub("", _BLOCK.sub(" ", value[:TEXT_CHARACTERS_MAX]))
    return " ".join(html.unescape(without_tags).split())


def email(value: Any) -> str | None:
    """Return an e-mail address, stripped, in lower case; None where there is none or it is too long."""
    address = comparable_email(text(value))
    return address if 0 < len(address) <= EMAIL_CHARACTERS_MAX else None


def moment(value: Any) -> datetime | None:
    """Return a date with its time, aware or naive as it was written; None for null, "" and PHP's zero date.

    With or without colon in the offset, `Z`, fractions of a second, a space or a T between. A number is
    seconds since 1970 (yclients-api.md, section 5, shows one), aware.
    """
    if isinstance(value, str):
        parsed = _moment_from_text(value)
    elif value is None:
        return None
    else:
        parsed = datetime.fromtimestamp(whole(value, 0, EPOCH_SECONDS_MAX), UTC)
    if parsed is not None and not YEAR_MIN <= parsed.year <= YEAR_MAX:
        raise FieldError("out of bounds")
    return parsed


def _moment_from_text(written: str) -> datetime | None:
    if len(written) >= MOMENT_CHARACTERS_MIN:
        try:
            return datetime.fromisoformat(written)
        except ValueError:
            pass
    text = written.strip().upper()
    if not text or text.startswith("0000-00-00"):
        return None
    try:
        if len(text) >= MOMENT_CHARACTERS_MIN:
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise FieldError("not a date with a time")


def offset_minutes(aware: datetime) -> int:
    """Return the offset from UTC that an aware time was written with, in whole minutes."""
    offset = aware.utcoffset()
    if offset is None:
        raise ValueError("a naive time has no offset")
    return offset.days * 24 * 60 + offset.seconds // 60
