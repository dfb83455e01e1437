"""Parse callers' values as the vendor does: lenient in form, VendorError for invalid ones."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, cast

from yclients_emulator.model import Company, VendorError


def bad_request() -> VendorError:
    """400 for a malformed request or filter."""
    return VendorError(400, "Недопустимый формат запроса")


def invalid(**fields: str) -> VendorError:
    """Return 422 with a message per field."""
    return VendorError(
        422, "Произошла ошибка валидации", fields={name: [text] for name, text in fields.items()}
    )


def read_int(value: object, name: str) -> int:
    """An integer, or a string of one; 422 on the field otherwise."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.lstrip("-").isascii() and value.lstrip("-").isdigit():
        return int(value)
    raise invalid(**{name: "Недопустимое значение"})


def read_kopecks(value: object, name: str) -> int:
    """A price in roubles, as kopecks."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise invalid(**{name: "Недопустимое значение"})
    try:
        return round(float(value) * 100)
    except (ValueError, OverflowError):
        raise invalid(**{name: "Недопустимое значение"}) from None


def read_text(body: Mapping[str, Any], name: str) -> str:
    """A text field; empty when absent or null."""
    value = body.get(name)
    return "" if value is None else str(value)


def read_list(value: object, name: str) -> list[Any]:
    """A JSON list; 422 on the field otherwise."""
    if not isinstance(value, list):
        raise invalid(**{name: "Недопустимое значение"})
    return cast("list[Any]", value)


def read_object(value: object, name: str) -> dict[str, Any]:
    """A JSON object; PHP's empty list counts as an empty one; 422 on the field otherwise."""
    if value == []:
        return {}
    if not isinstance(value, dict):
        raise invalid(**{name: "Недопустимое значение"})
    return cast("dict[str, Any]", value)


def read_moment(value: object, company: Company, name: str) -> datetime:
    """A time as aware UTC: seconds since 1970, or ISO 8601; without a zone it is branch local."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            if value.isascii() and value.isdigit() and len(value) >= 9:
                return datetime.fromtimestamp(int(value), UTC)
            moment = datetime.fromisoformat(value.strip().replace(" +", "+"))
            return company.moment(moment) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise invalid(**{name: "Недопустимое значение"})


def read_date(value: str) -> date:
    """`YYYY-MM-DD` or `YYYYMMDD`; 400 otherwise."""
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        raise bad_request() from None


def digits_of(phone: object) -> str:
    """The digits of a phone however written; a leading 8 of eleven is the Russian 7."""
    digits = "".join(sign for sign in str(phone) if sign.isascii() and sign.isdigit())
    return "7" + digits[1:] if len(digits) == 11 and digits.startswith("8") else digits


def is_phone(digits: str) -> bool:
    """Return whether the vendor accepts these digits as a phone with a country code."""
    return 11 <= len(digits) <= 15 and not digits.startswith("0")
